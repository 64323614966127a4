#include "pipeline/tasks/caption/scorer.hpp"

#include <fmt/format.h>

#include "datasets/text/words.hpp"
#include "modules/io/json.hpp"

namespace fovea {
namespace {

// COCO's 40,504 validation pictures have 202,654 captions of some 60 bytes.
constexpr JsonLimits kLimits{.bytes = std::size_t{256} << 20, .depth = 32, .values = 4'000'000};

class CaptionsScorer final : public AnswerScorer {
 public:
  std::string name() const override { return "captions"; }
  std::string text() const override {
    return "BLEU, ROUGE-L and CIDEr-D of captions that were written, as pycocoevalcap measures them";
  }
  void add_options(OptionList& o) override {
    o.word("FILE", file_,
           R"(A .json file: {"references": {"a.jpg": ["A dog runs .", ...]}, "hypotheses": {"a.jpg": "a dog runs"}})");
    o.require();
    o.flag("--tokenised", tokenised_,
           "Take what stands between blanks as the words, as it is; without it, captions and references are written in small "
           "letters, split into "
           "words nearly as the Penn Treebank is, and stripped of punctuation");
  }
  void run() override {
    const JsonValue all = read_json(file_, kLimits);
    const auto said = all.at("hypotheses").members(), real = all.at("references").members();
    std::map<std::string, JsonValue> references(real.begin(), real.end());
    for (const auto& [picture, caption] : said) {
      const auto found = references.find(picture);
      const bool known = found != references.end();
      add(picture, caption, known ? found->second.items() : std::vector<JsonValue>{});
      if (known) references.erase(found);
    }
    for (const auto& [picture, ignored] : references) leave_out(picture, "there is no caption of it among the hypotheses");
    check(metrics_.pictures() > 0, file_, ": nothing could be scored",
          left_out_.empty() ? ": there are no captions" : "; the first reason: " + left_out_.front().reason);
    scores_ = metrics_.scores();
  }
  std::string table() const override { return captions_table(scores_); }
  nlohmann::ordered_json json() const override { return captions_json(scores_, names_); }
  std::vector<BadFile> left_out() const override { return left_out_; }

 private:
  std::vector<std::string> words(const std::string& text) const { return tokenised_ ? split_words(text) : words_of(text); }
  void leave_out(const std::string& picture, const std::string& why) {
    left_out_.push_back({picture, file_ + ": '" + picture + "': " + why});
  }
  void add(const std::string& picture, const JsonValue& caption, const std::vector<JsonValue>& references) {
    std::vector<std::vector<std::string>> people;
    for (const JsonValue& r : references) people.push_back(words(r.text()));
    const std::vector<std::string> said = words(caption.text());
    try {
      metrics_.add(said, people);
      names_.push_back(picture);
    } catch (const std::exception& e) { leave_out(picture, bad_file(picture, e).reason); }
  }

  std::string file_;
  bool tokenised_ = false;
  CaptionsMetrics metrics_;
  CaptionsScores scores_;
  std::vector<std::string> names_;
  std::vector<BadFile> left_out_;
};

nlohmann::ordered_json by_name(const std::vector<std::string>& names, const std::vector<double>& values) {
  nlohmann::ordered_json all = nlohmann::ordered_json::object();
  // Not by operator[], which looks through all names for each one: these differ.
  auto& object = all.get_ref<nlohmann::ordered_json::object_t&>();
  for (std::size_t i = 0; i < names.size(); ++i) object.Container::emplace_back(names[i], values.at(i));
  return all;
}

}  // namespace

std::string captions_table(const CaptionsScores& s) {
  std::string text = fmt::format("{} pictures, {} references; captions of {:.1f} words, {:.1f} % of them distinct\n", s.pictures,
                                 s.references, s.mean_length, 100 * s.distinct);
  for (std::size_t n = 0; n < s.bleu.size(); ++n) text += fmt::format("BLEU-{}    {:.4f}\n", n + 1, s.bleu[n]);
  return text + fmt::format("ROUGE-L   {:.4f}\nCIDEr-D   {:.4f}\n", s.rouge_l, s.cider_d);
}

nlohmann::ordered_json captions_json(const CaptionsScores& s, const std::vector<std::string>& names) {
  return {{"BLEU", s.bleu},
          {"ROUGE_L", s.rouge_l},
          {"CIDEr_D", s.cider_d},
          {"CIDEr_D_each", by_name(names, s.cider_d_each)},
          {"ROUGE_L_each", by_name(names, s.rouge_l_each)},
          {"distinct", s.distinct},
          {"mean_length", s.mean_length},
          {"pictures", s.pictures},
          {"references", s.references}};
}

std::unique_ptr<AnswerScorer> captions_scorer() { return std::make_unique<CaptionsScorer>(); }

}  // namespace fovea
