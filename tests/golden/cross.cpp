// CATALOGUE 7: attention of one sequence or vector to another; soft and hard; of questions, texts and pictures.
#include <algorithm>
#include <numeric>
#include <regex>

#include "modules/autograd/tap.hpp"
#include "modules/nn/hard_attention.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/reduce.hpp"
#include "modules/ops/take.hpp"
#include "tests/golden/rename.hpp"

namespace fovea::golden {
namespace {

using Options = std::map<std::string, std::string>;
using Numbers = std::vector<std::int64_t>;

bool given(const Case& c, const std::string& input) {
  return std::find(c.inputs.begin(), c.inputs.end(), input) != c.inputs.end();
}

// The first of the names for each place that the file has among its inputs; places without one are left out.
std::vector<std::string> order(const Case& c, const std::vector<std::vector<std::string>>& places) {
  std::vector<std::string> found;
  for (const auto& names : places)
    for (const std::string& name : names)
      if (given(c, name)) {
        found.push_back(name);
        break;
      }
  check(found.size() == c.inputs.size(), c.module, ": inputs that are not known here");
  return found;
}

// For every row true for its first lengths[n] places.
Var first_ones(const Numbers& lengths, std::int64_t places) {
  const auto rows = static_cast<std::int64_t>(lengths.size());
  Tensor mask = Tensor::zeros({rows, places}, DType::boolean);
  for (std::int64_t n = 0; n < rows; ++n)
    mask.slice(0, n, n + 1).slice(1, 0, std::min(places, lengths[static_cast<std::size_t>(n)])).fill(1);
  return mask;
}

Numbers numbers(const Case& c, const std::vector<std::string>& names) {
  for (const std::string& name : names)
    if (c.hyper.contains(name) && c.hyper.at(name).is_array()) return c.hyper.at(name).get<Numbers>();
  return {};
}

const std::vector<std::vector<std::string>> kVectorInputs{
    {"vector", "query"}, {"matrix", "context", "key"}, {"mask", "matrix_mask"}};

Subject vector_attention(const std::string& block, const Case& c, const Scope& s) {
  Options options{{"normalize", yes_no(flag(c, {"normalize"}, true))}};
  std::int64_t width = 1;
  if (block == "additive_attention") {
    width = channels_of(c, "_w_matrix", 0), options["matrix_channels"] = axis(c, "_u_matrix", 0);
  } else if (block == "bilinear_attention") {
    width = channels_of(c, "_weight_matrix", 0), options["matrix_channels"] = axis(c, "_weight_matrix", 1);
    options["activation"] = activation_name(hyper(c, {"activation"}, "none"));
  } else if (block == "combination_attention") {
    const std::string pieces = hyper(c, {"combination"}, "x,y");
    const std::int64_t each = channels_of(c, "_weight_vector", 0) / (1 + std::count(pieces.begin(), pieces.end(), ','));
    width = std::stoll(hyper(c, {"vector_dim", "tensor_1_dim", "dim"}, std::to_string(each)));
    options["matrix_channels"] = hyper(c, {"matrix_dim", "tensor_2_dim", "dim"}, std::to_string(each));
    options["combination"] = pieces;
    options["activation"] = activation_name(hyper(c, {"activation"}, "none"));
  } else if (block == "dot_attention") {
    options["scaling"] = c.module.find("Scaled") == std::string::npos ? "1" : hyper(c, {"scaling_factor"}, "0");
  }
  for (auto& [name, value] : options)
    if (name == "activation" && (value == "linear" || value == "null")) value = "none";
  return {.block = make(block, c, s, width, {}, options), .inputs = order(c, kVectorInputs), .taps = {{"weights", "attention"}}};
}

Subject soft(const Case& c, const Scope& s) {
  return {.block = make("soft_attention", c, s, channels_of(c, "encoder_att.weight", 1), {{"act", "act"}},
                        {{"decoder_dim", axis(c, "decoder_att.weight", 1)}, {"attention_dim", axis(c, "encoder_att.weight", 0)}}),
          .inputs = order(c, {{"encoder_out", "features"}, {"decoder_hidden", "hidden"}, {"mask"}}),
          .outputs = {"context", "alpha"},
          .taps = {{"alpha", "attention"}}};
}

// The captions are options; as in the reference, samples go by the lengths of theirs, the longest first.
Subject decoder(const Case& c, const Scope& s) {
  const Numbers lengths = numbers(c, {"caption_lengths", "lengths"});
  const auto captions = c.hyper.at("captions").get<std::vector<Numbers>>();
  Numbers rows(lengths.size());
  std::iota(rows.begin(), rows.end(), 0);
  const auto length = [&](std::int64_t row) { return lengths[static_cast<std::size_t>(row)]; };
  std::stable_sort(rows.begin(), rows.end(), [&](auto a, auto b) { return length(a) > length(b); });
  const std::int64_t steps = length(rows.front()) - 1;
  Numbers words, decoded;
  for (const std::int64_t row : rows) {
    Numbers caption = captions[static_cast<std::size_t>(row)];
    caption.resize(static_cast<std::size_t>(steps));
    words.insert(words.end(), caption.begin(), caption.end());
    decoded.push_back(length(row) - 1);
  }
  const auto count = static_cast<std::int64_t>(rows.size());
  const Var said(Tensor::from(words, {count, steps})), mask = first_ones(decoded, steps), sorted(Tensor::from(rows, {count}));
  std::shared_ptr<Block> block =
      make("soft_attention_decoder", c, s, channels_of(c, "attention.encoder_att.weight", 1), {{"act", "act"}},
           {{"decoder_dim", axis(c, "decode_step.weight_hh", 1)},
            {"attention_dim", axis(c, "attention.encoder_att.weight", 0)},
            {"embed_dim", axis(c, "embedding.weight", 1)},
            {"vocab_size", axis(c, "embedding.weight", 0)}});
  return {.block = function(s,
                            [=](const Vars& in) {
                              return (*block)(Vars{index_select(in[0], 0, sorted), said, mask});
                            }),
          .outputs = {"predictions", "alphas", "regulariser"},
          .taps = {{"alphas", "**attention"}}};
}

Subject hard(const Case& c, const Scope& s) {
  const auto place = [](const Var& chosen) {
    std::vector<float> rows;
    for (std::int64_t i = 0; i < chosen.dim(1); ++i) rows.push_back(static_cast<float>(i));
    return sum(chosen * Var(Tensor::from(rows, {1, chosen.dim(1)})), {1}, false);
  };
  return {.block = function(s,
                            [=](const Vars& in) {
                              const HardAttended a = hard_attention(in[0], in[1], in[2]);
                              tap("alpha", a.alpha);
                              return Vars{a.sampled.context, a.largest.context,       a.sampled.log_chosen,
                                          a.entropy,         place(a.sampled.chosen), place(a.largest.chosen)};
                            }),
          .inputs = order(c, {{"features"}, {"logits"}, {"u"}}),
          .outputs = {"context_sampled", "context_argmax", "log_prob", "entropy", "index_sampled", "index_argmax"}};
}

Subject bidaf(const Case& c, const Scope& s) {
  const bool linears = has(c, "att_weight_c.linear.weight") || has(c, "att_weight_c.weight");
  std::int64_t width = c.hyper.value("dim", std::int64_t{0});
  if (linears) width = channels_of(c, has(c, "att_weight_c.weight") ? "att_weight_c.weight" : "att_weight_c.linear.weight", 1);
  return {.block = make("bidaf", c, s, width,
                        linears ? std::vector<std::pair<std::string, std::string>>{}
                                : std::vector<std::pair<std::string, std::string>>{{"combination", "combination"}},
                        {{"form", linears ? "linears" : "allennlp"}}),
          .inputs = order(c, {{"c", "passage"}, {"q", "question"}, {"passage_mask"}, {"question_mask"}}),
          .taps = {{"passage_question", "attention"}, {"question_passage", "question_attention"}},
          .rename = rename_by({{R"((att_weight_\w+)\.linear\.(.*))", "$1.$2"}})};
}

// The spans that the decoder is to find: an option, or said in the note.
Var spans_of(const Case& c) {
  std::string text;
  for (const char* name : {"span", "spans", "span_targets"})
    if (c.hyper.contains(name)) text = c.hyper.at(name).dump();
  if (std::smatch found; text.empty() && std::regex_search(c.note, found, std::regex(R"(\[\[[\d\s,\[\]]*\]\])")))
    text = found.str();
  if (text.empty()) return {};
  Numbers flat;
  const auto spans = nlohmann::json::parse(text).get<std::vector<Numbers>>();
  for (const Numbers& span : spans) flat.insert(flat.end(), span.begin(), span.end());
  return Tensor::from(flat, {static_cast<std::int64_t>(spans.size()), 2});
}

Subject coattention(const Case& c, const Scope& s) {
  const bool prose = c.module.find("prose") != std::string::npos || hyper(c, {"axes"}, "").find("prose") == 0;
  const bool fusion = has(c, "fusion_bilstm.fusion_bilstm.weight_ih_l0");
  const std::int64_t width = channels_of(c, "q_proj.weight", 0);
  std::shared_ptr<Block> block =
      make("coattention", c, s, width, {{"order", "order"}},
           {{"axes", prose ? "prose" : "code"},
            {"fusion", yes_no(fusion)},
            {"order", c.repo.find("h3lio5") != std::string::npos ? "document_first" : "context_first"}});
  Subject subject;
  subject.inputs = order(c, {{"Q", "question"}, {"D", "document"}});
  subject.taps = {{"A_Q", "**question_attention"}, {"A_D", "**document_attention"}};
  subject.block = function(s, [block](const Vars& in) { return (*block)(in); });
  if (!has(c, "decoder.maxout_start.r.weight")) return subject;
  std::shared_ptr<Block> decoder = make("dynamic_decoder", c, s / "decoder", width,
                                        {{"maxout_pool_size", "maxout_pool_size"}, {"max_dec_steps", "max_dec_steps"}});
  const Var spans = spans_of(c);
  subject.block = function(s, [block, decoder, spans](const Vars& in) {
    Vars to_decode{(*block)(in)[0]};
    if (spans.defined()) to_decode.insert(to_decode.end(), {Var(), spans});
    return (*decoder)(to_decode);
  });
  subject.outputs = {"idx_start", "idx_end"};
  if (spans.defined()) subject.outputs.insert(subject.outputs.begin(), "loss");
  return subject;
}

Subject tri(const Case& c, const Scope& s) {
  const std::string said = hyper(c, {"variant"}, c.module);
  const auto says = [&](const char* word) { return said.find(word) != std::string::npos; };
  Options options{{"form", says("additive") ? "additive" : says("scaled") ? "scaled" : says("dot") ? "dot" : "trilinear"}};
  std::vector<std::pair<std::string, std::string>> named{{"heads", "heads"}};
  if (options["form"] == "additive") named.insert(named.end(), {{"key_len", "key_len"}, {"context_len", "context_len"}});
  return {.block = make("tri_attention", c, s, channels_of(c, "query.weight", 1), named, options),
          .inputs = order(c, {{"query", "sen1"}, {"key", "sen2"}, {"context"}}),
          .taps = {{"probs", "attention"}, {"weights", "attention"}},
          .rename = rename_by({{R"((query_w|key_u|context_h|add_dense_v|add_dense_value|add_dense_value_vt)\..*)", ""}})};
}

Options stacked(const Case& c) {
  Options options;
  if (const std::string norm = hyper(c, {"raw_feature_norm"}, ""); !norm.empty())
    options["norm"] = norm == "no_norm" ? "none" : norm;
  if (const std::string lambda = hyper(c, {"lambda_softmax", "smooth"}, ""); !lambda.empty()) options["lambda_softmax"] = lambda;
  return options;
}

Subject scores(const Case& c, const Scope& s, const std::string& direction) {
  Options options = stacked(c);
  options["direction"] = direction;
  options["gathers"] = activation_name(hyper(c, {"agg_func"}, "LogSumExp"));
  std::shared_ptr<Block> block = make("stacked_scores", c, s, 1, {{"lambda_lse", "lambda_lse"}}, options);
  const Numbers lengths = numbers(c, {"caption_lengths", "cap_lens"});
  return {.block = function(s,
                            [=](const Vars& in) {
                              Vars all = in;
                              if (!lengths.empty()) all.push_back(first_ones(lengths, in[1].dim(1)));
                              return (*block)(all);
                            }),
          .inputs = order(c, {{"images"}, {"captions"}})};
}

}  // namespace

void add_cross(Adapters& all) {
  for (const auto& [module, block] : Options{{"AdditiveAttention", "additive_attention"},
                                             {"BilinearAttention", "bilinear_attention"},
                                             {"CosineAttention", "cosine_attention"},
                                             {"DotProductAttention", "dot_attention"},
                                             {"ScaledDotProductAttention", "dot_attention"},
                                             {"LinearAttention", "combination_attention"}})
    all.add(module, "allennlp", [block = block](const Case& c, const Scope& s) { return vector_attention(block, c, s); });
  all.add("Attention", "sgrvinod", soft);
  all.add("DecoderWithAttention", "", decoder);
  all.add("hard attention*", "", hard);
  all.add("BiDAF*", "", bidaf);
  all.add("CoattentionModel*", "", coattention);
  all.add("coattention*", "", coattention);
  all.add("Multil_Atten*", "", tri);
  all.add("func_attention", "", [](const Case& c, const Scope& s) {
    return Subject{.block = make("stacked_attention", c, s, 1, {}, stacked(c)),
                   .inputs = order(c, {{"query"}, {"context"}}),
                   .taps = {{"map", "map"}, {"attn", "map"}}};
  });
  all.add("xattn_score_t2i", "", [](const Case& c, const Scope& s) { return scores(c, s, "t2i"); });
  all.add("xattn_score_i2t", "", [](const Case& c, const Scope& s) { return scores(c, s, "i2t"); });
}

}  // namespace fovea::golden
