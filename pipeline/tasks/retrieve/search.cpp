#include "pipeline/tasks/retrieve/search.hpp"

#include <algorithm>
#include <cmath>
#include <exception>

#include "datasets/image.hpp"
#include "datasets/preprocess.hpp"
#include "datasets/text/words.hpp"
#include "datasets/walk.hpp"
#include "modules/core/threads.hpp"
#include "pipeline/clock.hpp"
#include "pipeline/errors.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kAtOnce = 16;   // pictures
constexpr std::size_t kScored = 256;  // likewise, of those that are encoded
constexpr double kSaveEvery = 60;     // seconds

struct Waiting {
  std::string name;
  fs::path file;
  SearchIndex::Stamp stamp = {};
  Tensor input = {};  // as the network takes it
  std::exception_ptr failure = nullptr;
};

void read_picture(Waiting& w, const Preprocess& p) {
  try {
    w.stamp = SearchIndex::stamp_of(w.file);  // before it is read: a change meanwhile shows
    w.input = preprocess(read_image(w.file).pixels, p).tensor;
  } catch (...) { w.failure = std::current_exception(); }
}

// Encodes waiting pictures that have inputs of one shape.
void encode(SearchIndex& index, const Model& model, std::span<Waiting* const> some) {
  const Shape& one = some.front()->input.shape();
  Tensor batch =
      Tensor::empty({static_cast<std::int64_t>(some.size()), one[1], one[2], one[3]}, DType::f32, Layout::channels_last);
  for (std::size_t i = 0; i < some.size(); ++i)
    batch.slice(0, static_cast<std::int64_t>(i), static_cast<std::int64_t>(i) + 1).copy_from(some[i]->input);
  const Tensor all = model.run(batch).contiguous(Layout::row_major);
  for (std::size_t i = 0; i < some.size(); ++i) {
    const Tensor own = all.slice(0, static_cast<std::int64_t>(i), static_cast<std::int64_t>(i) + 1);
    const bool map = own.rank() == 4;
    const Shape shape{own.dim(1), map ? own.dim(2) : 1, map ? own.dim(3) : 1};
    const std::vector<double> numbers = own.values();
    if (std::all_of(numbers.begin(), numbers.end(), [](double v) { return std::isfinite(v); }))
      index.entries()[some[i]->name] = {some[i]->stamp, own.reshape(shape).to(DType::f16).clone()};
    else
      some[i]->failure =
          std::make_exception_ptr(Error(some[i]->file.string() + ": the network gives numbers that are not finite"));
  }
}

class Updating {
 public:
  Updating(SearchIndex& index, const Model& model, IndexUpdate& done, std::vector<BadFile>& left_out, Progress& progress)
      : index_(index), model_(model), done_(done), left_out_(left_out), progress_(progress) {}

  void add(std::span<Waiting> some) {
    parallel_blocks(static_cast<std::int64_t>(some.size()),
                    [&](std::int64_t i) { read_picture(some[static_cast<std::size_t>(i)], model_.preprocess()); });
    std::vector<Waiting*> same;
    const auto flush = [&] {
      try {
        if (!same.empty()) encode(index_, model_, same);
      } catch (const Error&) {
        for (Waiting* w : same) w->failure = std::current_exception();
      }
      same.clear();
    };
    for (Waiting& w : some) {
      if (w.failure) continue;
      if (!same.empty() && same.front()->input.shape() != w.input.shape()) flush();
      same.push_back(&w);
    }
    flush();
    for (Waiting& w : some) {
      w.input = {};
      if (answered(w)) tell(w);
    }
  }

 private:
  bool answered(const Waiting& w) {
    if (!w.failure) return true;
    index_.entries().erase(w.name);  // what it was before
    try {
      std::rethrow_exception(w.failure);
    } catch (const std::exception& e) {
      left_out_.push_back(bad_file(w.file, e));
      progress_.quarantined(w.file.string(), left_out_.back().reason);
    }
    return false;
  }
  void tell(const Waiting& w) {
    ++done_.encoded;
    Frame frame;
    frame.source = w.file.string();
    progress_.done(frame);
  }

  SearchIndex& index_;
  const Model& model_;
  IndexUpdate& done_;
  std::vector<BadFile>& left_out_;
  Progress& progress_;
};

// What is not in the index as it is now; drops from the index what is not in the folder.
std::vector<Waiting> to_encode(SearchIndex& index, const fs::path& folder, const std::vector<fs::path>& files,
                               IndexUpdate& done) {
  std::vector<Waiting> waiting;
  std::map<std::string, bool> there;
  for (const fs::path& file : files) {
    const std::string name = file.lexically_relative(folder).string();
    there[name] = true;
    const auto known = index.entries().find(name);
    bool same = false;
    if (known != index.entries().end()) try {
        same = known->second.stamp == SearchIndex::stamp_of(file);
      } catch (const Error&) {}  // reading it will say why
    if (same) ++done.kept;
    else waiting.push_back({name, file});
  }
  done.gone = std::erase_if(index.entries(), [&](const auto& entry) { return !there.contains(entry.first); });
  return waiting;
}

}  // namespace

Query read_query(const Model& model, const std::string& text) {
  const std::vector<std::string> words = words_of(text);
  if (words.empty()) throw UsageError("search: expected a sentence, got '" + printable(text) + "', which has no words");
  const auto encoder = text_encoder(model);
  Query query{text, {}, {}, false, {}};
  for (const std::string& word : words) {
    const auto tokens = encoder->encode(word);
    if (std::find(tokens.begin(), tokens.end(), TextEncoder::kUnknown) != tokens.end()) query.unknown.push_back(word);
  }
  if (query.unknown.size() == words.size())
    throw UsageError("search: " + model.name() + " knows no word of '" + printable(text) +
                     "', so that no picture would fit better than "
                     "another; it knows " +
                     std::to_string(encoder->size() - TextEncoder::kSpecial) +
                     " words, those of the sentences that it "
                     "was trained with: say it in other words");
  query.cut = encoder->encode(text).size() > kMostTextTokens;
  for (const std::int64_t t : tokens_of(*encoder, text)) query.tokens.push_back(encoder->token(t));
  query.encoded = encode_texts(model, *encoder, {text});
  return query;
}

bool update_index(SearchIndex& index, const fs::path& folder, const Model& model, IndexUpdate& done,
                  std::vector<BadFile>& left_out, Progress& progress, const std::atomic<bool>& stop,
                  const std::function<void()>& save) {
  const FolderImages found = images_below(folder);
  left_out.insert(left_out.end(), found.left_out.begin(), found.left_out.end());
  std::vector<Waiting> waiting = to_encode(index, folder, found.files, done);
  if (waiting.empty()) return true;
  Updating updating(index, model, done, left_out, progress);
  progress.start(waiting.size());
  double saved = wall_seconds();
  try {
    for (std::size_t i = 0; i < waiting.size() && !stop; i += kAtOnce) {
      updating.add(std::span(waiting).subspan(i, std::min(kAtOnce, waiting.size() - i)));
      if (wall_seconds() - saved > kSaveEvery) save(), saved = wall_seconds();
    }
  } catch (...) {
    progress.stop();
    save();
    throw;
  }
  progress.stop();
  if (stop) save();
  return !stop;
}

std::vector<Hit> ranked(const SearchIndex& index, const RetrieveHead& head, const Query& query) {
  std::vector<Hit> hits;
  const auto& entries = index.entries();
  for (auto at = entries.begin(); at != entries.end();) {
    const Shape& one = at->second.values.shape();
    auto end = at;
    std::size_t count = 0;
    for (; end != entries.end() && count < kScored && end->second.values.shape() == one; ++end) ++count;
    Tensor some = Tensor::empty({static_cast<std::int64_t>(count), one[0], one[1], one[2]});
    std::int64_t row = 0;
    for (auto e = at; e != end; ++e, ++row)
      some.slice(0, row, row + 1).copy_from(e->second.values.reshape({1, one[0], one[1], one[2]}));
    if (!head.options().scan) some = some.reshape({static_cast<std::int64_t>(count), one[0]});
    const std::vector<float> scores = similarities(head, some, query.encoded);
    for (std::size_t i = 0; at != end; ++at, ++i) hits.push_back({at->first, scores[i]});
  }
  std::stable_sort(hits.begin(), hits.end(), [](const Hit& a, const Hit& b) { return a.score > b.score; });
  return hits;
}

}  // namespace fovea
