#include "pipeline/tasks/caption/writer.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>

#include "datasets/text/recipe.hpp"
#include "modules/core/random.hpp"

namespace fovea {
namespace {

constexpr double kNever = -std::numeric_limits<double>::infinity();

// A sentence so far; what was looked at lies in `seen`, a step after the other.
struct Hypothesis {
  std::vector<std::int64_t> words;
  std::vector<double> logs;
  std::vector<std::vector<float>> seen;
  double sum = 0;
  std::int64_t row = 0;  // of the decoder's state, that of its picture's first row counted as 0
  bool ended = false;
};

double rank(const Hypothesis& h, double power) {
  return h.logs.empty() ? kNever : h.sum / std::pow(static_cast<double>(h.logs.size()), power);
}

// Log-probabilities of the words behind a row; <pad>, <start> and <unk> are never said.
std::vector<double> log_probabilities(const float* scores, std::int64_t words, double temperature) {
  std::vector<double> logs(static_cast<std::size_t>(words));
  for (std::int64_t w = 0; w < words; ++w) logs[static_cast<std::size_t>(w)] = static_cast<double>(scores[w]) / temperature;
  for (const std::int64_t w : {TextEncoder::kPad, TextEncoder::kStart, TextEncoder::kUnknown})
    logs[static_cast<std::size_t>(w)] = kNever;
  const double most = *std::max_element(logs.begin(), logs.end());
  double sum = 0;
  for (const double v : logs) sum += std::exp(v - most);
  for (double& v : logs) v -= most + std::log(sum);
  return logs;
}

// Rules out the words that would make a run of `n` come twice.
void forbid_repeats(const std::vector<std::int64_t>& words, int n, std::vector<double>& logs) {
  const auto run = static_cast<std::ptrdiff_t>(n) - 1, length = static_cast<std::ptrdiff_t>(words.size());
  for (std::ptrdiff_t i = 0; n > 0 && i + run < length; ++i)
    if (std::equal(words.begin() + i, words.begin() + i + run, words.end() - run))
      logs[static_cast<std::size_t>(words[static_cast<std::size_t>(i + run)])] = kNever;
}

Hypothesis with_word(const Hypothesis& h, std::int64_t word, double log, const Tensor& attention, std::int64_t row) {
  Hypothesis next = h;
  next.logs.push_back(log);
  next.sum += log;
  next.ended = word == TextEncoder::kEnd;
  if (next.ended) return next;
  next.words.push_back(word);
  const std::int64_t each = attention.size() / attention.dim(0);
  const float* seen = attention.data<float>() + row * each;
  next.seen.emplace_back(seen, seen + each);
  return next;
}

// What one picture's sentences become with each step. Rows are those of the picture.
class Search {
 public:
  virtual ~Search() = default;
  virtual std::size_t rows() const = 0;
  // `first`: of the picture's rows among all of the step. What is live then says which row it goes on from.
  virtual void advance(const TextDecoderSteps::Step& step, std::int64_t first) = 0;
  virtual bool done() const = 0;

  std::vector<Hypothesis> live, ended;  // a live one for each row
};

class BeamSearch final : public Search {
 public:
  // Words of a sentence, its end counted, are at most `most`.
  BeamSearch(const WriterOptions& o, std::int64_t most) : o_(o), most_(most) { live.assign(1, {}); }
  std::size_t rows() const override { return static_cast<std::size_t>(o_.beam); }

  void advance(const TextDecoderSteps::Step& step, std::int64_t first) override {
    struct Candidate {
      std::size_t from;
      std::int64_t word;
      double log, sum;
    };
    std::vector<Candidate> candidates;
    for (std::size_t i = 0; i < live.size(); ++i) {
      const std::int64_t words = step.scores.dim(1);
      auto logs = log_probabilities(step.scores.data<float>() + (first + live[i].row) * words, words, 1);
      forbid_repeats(live[i].words, o_.repeat, logs);
      // No more than the beam's width of one sentence's words can be among the best.
      std::vector<std::int64_t> best(logs.size());
      std::iota(best.begin(), best.end(), 0);
      const auto count = std::min<std::ptrdiff_t>(2 * o_.beam, static_cast<std::ptrdiff_t>(best.size()));
      std::partial_sort(best.begin(), best.begin() + count, best.end(), [&](std::int64_t a, std::int64_t b) {
        const double x = logs[static_cast<std::size_t>(a)], y = logs[static_cast<std::size_t>(b)];
        return x != y ? x > y : a < b;
      });
      for (auto w = best.begin(); w != best.begin() + count; ++w) {
        const double log = logs[static_cast<std::size_t>(*w)];
        if (log > kNever) candidates.push_back({i, *w, log, live[i].sum + log});
      }
    }
    std::stable_sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) { return a.sum > b.sum; });
    std::vector<Hypothesis> next;
    for (std::size_t c = 0; c < candidates.size() && next.size() < rows(); ++c) {
      Hypothesis h = with_word(live[candidates[c].from], candidates[c].word, candidates[c].log, step.attention,
                               first + live[candidates[c].from].row);
      if (!h.ended) next.push_back(std::move(h));
      else if (c < rows()) ended.push_back(std::move(h));  // as good as the live ones that would go on instead
    }
    live = std::move(next);
  }

  // No live sentence can become better than the worst of the best ended ones: its sum only falls. Longer ones are divided by more, at most by the longest.
  bool done() const override {
    if (live.empty()) return true;
    if (ended.size() < rows()) return false;
    std::vector<double> ranks;
    for (const Hypothesis& h : ended) ranks.push_back(rank(h, o_.length_power));
    std::nth_element(ranks.begin(), ranks.begin() + static_cast<std::ptrdiff_t>(rows()) - 1, ranks.end(), std::greater<>());
    const double best = live.front().sum / std::pow(static_cast<double>(most_), o_.length_power);
    return best <= ranks[rows() - 1];
  }

 private:
  WriterOptions o_;
  std::int64_t most_;
};

class Drawing final : public Search {
 public:
  explicit Drawing(const WriterOptions& o) : o_(o), random_(o.seed) {
    live.assign(static_cast<std::size_t>(o.samples), {});
    for (std::size_t i = 0; i < live.size(); ++i) live[i].row = static_cast<std::int64_t>(i);
  }
  std::size_t rows() const override { return static_cast<std::size_t>(o_.samples); }

  void advance(const TextDecoderSteps::Step& step, std::int64_t first) override {
    std::vector<Hypothesis> next;
    for (const Hypothesis& h : live) {
      const std::int64_t words = step.scores.dim(1);
      auto logs = log_probabilities(step.scores.data<float>() + (first + h.row) * words, words, o_.temperature);
      forbid_repeats(h.words, o_.repeat, logs);
      const std::int64_t word = draw(logs);
      Hypothesis grown = with_word(h, word, logs[static_cast<std::size_t>(word)], step.attention, first + h.row);
      (grown.ended ? ended : next).push_back(std::move(grown));
    }
    live = std::move(next);
  }
  bool done() const override { return live.empty(); }

 private:
  std::int64_t draw(const std::vector<double>& logs) {
    std::vector<std::int64_t> order(logs.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
      return logs[static_cast<std::size_t>(a)] > logs[static_cast<std::size_t>(b)];
    });
    double all = 0;
    std::size_t count = 0;
    const auto probability = [&](std::size_t i) { return std::exp(logs[static_cast<std::size_t>(order[i])]); };
    while (count < order.size() && probability(count) > 0 && (count == 0 || all < o_.nucleus)) all += probability(count++);
    double left = random_.uniform() * all;
    for (std::size_t i = 0; i < count; ++i)
      if ((left -= probability(i)) < 0) return order[i];
    return order[count - 1];
  }

  WriterOptions o_;
  Random random_;
};

std::unique_ptr<Search> search_of(const WriterOptions& o, std::int64_t most) {
  if (o.nucleus > 0) return std::make_unique<Drawing>(o);
  return std::make_unique<BeamSearch>(o, most);
}

Caption caption_of(const Hypothesis& h, const TextEncoder& encoder, std::int64_t maps, std::int64_t places, double power) {
  Caption c;
  c.words = h.words, c.log_probabilities = h.logs, c.score = rank(h, power);
  c.attention = Tensor::empty({static_cast<std::int64_t>(h.seen.size()), maps, places});
  float* to = c.attention.data<float>();
  for (const auto& seen : h.seen) to = std::copy(seen.begin(), seen.end(), to);
  c.text = encoder.decode(c.words);
  return c;
}

// The best first, each text once; those that came to no end only where nothing did.
std::vector<Caption> captions_of(const Search& search, const TextEncoder& encoder, std::int64_t maps, std::int64_t places,
                                 double power) {
  std::vector<Caption> all;
  for (const Hypothesis& h : search.ended.empty() ? search.live : search.ended)
    all.push_back(caption_of(h, encoder, maps, places, power));
  std::stable_sort(all.begin(), all.end(), [](const Caption& a, const Caption& b) { return a.score > b.score; });
  std::set<std::string> known;
  std::erase_if(all, [&](const Caption& c) { return !known.insert(c.text).second; });
  if (all.size() > search.rows()) all.resize(search.rows());
  return all;
}

void check_options(const WriterOptions& o) {
  check(o.beam >= 1 && o.beam <= 64, "captions: beam: expected 1 to 64, got ", o.beam);
  check(o.samples >= 1 && o.samples <= 256, "captions: samples: expected 1 to 256, got ", o.samples);
  check(o.repeat >= 0, "captions: repeat: expected a number from 0, got ", o.repeat);
  check(o.length_power >= 0 && o.length_power <= 4, "captions: length power: expected 0 to 4, got ", o.length_power);
  check(o.nucleus >= 0 && o.nucleus <= 1, "captions: nucleus: expected a probability, got ", o.nucleus);
  check(o.temperature > 0 && std::isfinite(o.temperature), "captions: temperature: expected a number above 0, got ",
        o.temperature);
}

}  // namespace

CaptionWriter::CaptionWriter(Model model, const WriterOptions& options)
    : steps_(std::move(model)), encoder_(text_encoder_of(steps_.model().recipe())), options_(options) {
  check_options(options);
  check(encoder_ != nullptr, steps_.model().name(),
        ": its file carries no text encoder (the recipe's key 'text'), so that nothing says what its words are");
  check(encoder_->size() == steps_.head().words(), steps_.model().name(), ": its decoder knows ", steps_.head().words(),
        " words, its text encoder ", encoder_->size());
}

std::vector<std::vector<Caption>> CaptionWriter::operator()(const Tensor& places) const {
  const auto pictures = static_cast<std::size_t>(places.dim(0));
  const std::int64_t most = steps_.head().most();
  std::vector<std::unique_ptr<Search>> searches;
  for (std::size_t i = 0; i < pictures; ++i) searches.push_back(search_of(options_, most));
  const auto rows = static_cast<std::int64_t>(searches.front()->rows());
  TextDecoderSteps::Sentences sentences = steps_.start(places, rows);
  std::vector<std::int64_t> heard(pictures * static_cast<std::size_t>(rows), TextEncoder::kStart);
  const auto all_done = [&] { return std::all_of(searches.begin(), searches.end(), [](const auto& s) { return s->done(); }); };
  while (sentences.said() < most && !all_done()) {
    const TextDecoderSteps::Step step = steps_.next(sentences, heard);
    std::vector<std::int64_t> from;
    heard.clear();
    for (const auto& search : searches) {
      const auto first = static_cast<std::int64_t>(from.size());
      if (!search->done()) search->advance(step, first);
      for (std::int64_t r = 0; r < rows; ++r) {
        // Rows without a sentence go on with anything: nobody looks at them.
        const bool live = !search->done() && r < static_cast<std::int64_t>(search->live.size());
        from.push_back(first + (live ? search->live[static_cast<std::size_t>(r)].row : r));
        heard.push_back(live ? search->live[static_cast<std::size_t>(r)].words.back() : TextEncoder::kEnd);
      }
      for (std::size_t r = 0; r < search->live.size(); ++r) search->live[r].row = static_cast<std::int64_t>(r);
    }
    sentences.keep(from);
  }
  std::vector<std::vector<Caption>> out;
  const std::int64_t cells = places.dim(2) * places.dim(3);
  for (const auto& search : searches)
    out.push_back(captions_of(*search, *encoder_, steps_.head().maps(), cells, options_.length_power));
  return out;
}

}  // namespace fovea
