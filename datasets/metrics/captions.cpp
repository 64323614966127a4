#include "datasets/metrics/captions.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numeric>

#include "modules/core/error.hpp"

namespace fovea {
namespace {

constexpr std::size_t kLongest = 4;
constexpr double kSigma = 6, kBeta = 1.2;
// What pycocoevalcap adds so that nothing is divided by 0.
constexpr double kSmall = 1e-9, kTiny = 1e-15;

std::size_t common_subsequence(const std::vector<std::uint32_t>& a, const std::vector<std::uint32_t>& b) {
  std::vector<std::size_t> row(b.size() + 1, 0);
  for (const std::uint32_t word : a) {
    std::size_t before = 0;  // of the row above, one to the left
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t above = row[j + 1];
      row[j + 1] = word == b[j] ? before + 1 : std::max(above, row[j]);
      before = above;
    }
  }
  return row.back();
}

// Calls take(i, j) for each entry that both lists, sorted by their grams, have.
template <class Counts, class Take>
void each_common(const Counts& a, const Counts& b, const Take& take) {
  for (std::size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    if (a[i].gram == b[j].gram) take(i++, j++);
    else if (a[i].gram < b[j].gram) ++i;
    else ++j;
  }
}

double mean_of(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double norm(const std::vector<double>& values) {
  return std::sqrt(std::inner_product(values.begin(), values.end(), values.begin(), 0.0));
}

}  // namespace

std::uint32_t CaptionsMetrics::number_of(std::uint32_t before, std::uint32_t word) {
  const auto fresh = static_cast<std::uint32_t>(grams_.size() + 1);  // 0: nothing before
  return grams_.emplace(std::uint64_t{before} << 32 | word, fresh).first->second;
}

CaptionsMetrics::Sentence CaptionsMetrics::sentence(const Words& words) {
  check(words.size() <= kMostWords, "captions: expected at most ", +kMostWords, " words, got ", words.size());
  Sentence out;
  for (const std::string& w : words)
    out.words.push_back(words_.emplace(w, static_cast<std::uint32_t>(words_.size())).first->second);
  for (std::size_t begin = 0; begin < out.words.size(); ++begin) {
    std::uint32_t gram = 0;
    for (std::size_t n = 0; n < kLongest && begin + n < out.words.size(); ++n) {
      gram = number_of(gram, out.words[begin + n]);
      out.grams[n].push_back({gram, 1});
    }
  }
  for (auto& grams : out.grams) {
    std::sort(grams.begin(), grams.end(), [](const Count& a, const Count& b) { return a.gram < b.gram; });
    std::size_t to = 0;
    for (std::size_t i = 0; i < grams.size(); ++i) {
      if (to > 0 && grams[to - 1].gram == grams[i].gram) ++grams[to - 1].count;
      else grams[to++] = grams[i];
    }
    grams.resize(to);
  }
  return out;
}

void CaptionsMetrics::add(const Words& caption, const std::vector<Words>& references) {
  Picture picture{sentence(caption), {}};
  for (const Words& r : references)
    if (!r.empty()) picture.references.push_back(sentence(r));
  check(!picture.references.empty(), "captions: expected a reference with words, got ",
        references.empty() ? "none" : "only such without");
  count_bleu(picture);
  std::set<std::uint32_t> grams;
  for (const Sentence& r : picture.references)
    for (const auto& counts : r.grams)
      for (const Count& c : counts) grams.insert(c.gram);
  pictures_with_.resize(grams_.size() + 1);
  for (const std::uint32_t gram : grams) ++pictures_with_[gram];
  distinct_.insert(picture.caption.words);
  pictures_.push_back(std::move(picture));
}

void CaptionsMetrics::count_bleu(const Picture& picture) {
  const auto length = std::ssize(picture.caption.words);
  auto closest = std::ssize(picture.references.front().words);
  for (const Sentence& r : picture.references) {
    const auto l = std::ssize(r.words);
    if (std::pair(std::abs(l - length), l) < std::pair(std::abs(closest - length), closest)) closest = l;
  }
  length_ += static_cast<double>(length), closest_length_ += static_cast<double>(closest);
  for (std::size_t n = 0; n < kLongest; ++n) {
    const auto& said = picture.caption.grams[n];
    std::vector<int> most(said.size(), 0);
    for (const Sentence& r : picture.references)
      each_common(said, r.grams[n], [&](std::size_t i, std::size_t j) { most[i] = std::max(most[i], r.grams[n][j].count); });
    for (std::size_t i = 0; i < said.size(); ++i) right_[n] += std::min(said[i].count, most[i]), said_[n] += said[i].count;
  }
}

std::array<double, 4> CaptionsMetrics::bleu() const {
  const double ratio = (length_ + kTiny) / (closest_length_ + kSmall);
  const double penalty = ratio < 1 ? std::exp(1 - 1 / ratio) : 1;
  std::array<double, 4> out{};
  double product = 1;
  for (std::size_t n = 0; n < kLongest; ++n) {
    product *= (right_[n] + kTiny) / (said_[n] + kSmall);
    out[n] = std::pow(product, 1 / static_cast<double>(n + 1)) * penalty;
  }
  return out;
}

double CaptionsMetrics::rouge_l(const Picture& picture) {
  double precision = 0, recall = 0;
  if (picture.caption.words.empty()) return 0;
  for (const Sentence& r : picture.references) {
    const auto common = static_cast<double>(common_subsequence(r.words, picture.caption.words));
    precision = std::max(precision, common / static_cast<double>(picture.caption.words.size()));
    recall = std::max(recall, common / static_cast<double>(r.words.size()));
  }
  constexpr double kSquare = kBeta * kBeta;
  return precision > 0 ? (1 + kSquare) * precision * recall / (recall + kSquare * precision) : 0;
}

CaptionsMetrics::Weights CaptionsMetrics::weights_of(const Sentence& sentence) const {
  const double all = std::log(static_cast<double>(pictures_.size()));
  Weights weights;
  for (std::size_t n = 0; n < kLongest; ++n)
    for (const Count& c : sentence.grams[n])
      weights[n].push_back(c.count * (all - std::log(std::max(1.0, static_cast<double>(pictures_with_[c.gram])))));
  return weights;
}

double CaptionsMetrics::similarity(const Sentence& a, const Weights& of_a, const Sentence& b, const Weights& of_b) {
  const double difference = static_cast<double>(a.words.size()) - static_cast<double>(b.words.size());
  double sum = 0;
  for (std::size_t n = 0; n < kLongest; ++n) {
    double product = 0;
    each_common(a.grams[n], b.grams[n],
                [&](std::size_t i, std::size_t j) { product += std::min(of_a[n][i], of_b[n][j]) * of_b[n][j]; });
    const double norms = norm(of_a[n]) * norm(of_b[n]);
    sum += norms != 0 ? product / norms : product;
  }
  return sum * std::exp(-difference * difference / (2 * kSigma * kSigma)) / static_cast<double>(kLongest);
}

double CaptionsMetrics::cider_d(const Picture& picture) const {
  const Weights caption = weights_of(picture.caption);
  double sum = 0;
  for (const Sentence& r : picture.references) sum += similarity(picture.caption, caption, r, weights_of(r));
  return 10 * sum / static_cast<double>(picture.references.size());
}

CaptionsScores CaptionsMetrics::scores() const {
  check(!pictures_.empty(), "captions: expected a picture with a caption and references, got none");
  CaptionsScores s;
  s.bleu = bleu();
  s.pictures = pictures();
  for (const Picture& p : pictures_) {
    s.rouge_l_each.push_back(rouge_l(p));
    s.cider_d_each.push_back(cider_d(p));
    s.references += std::ssize(p.references);
  }
  s.rouge_l = mean_of(s.rouge_l_each), s.cider_d = mean_of(s.cider_d_each);
  s.distinct = static_cast<double>(distinct_.size()) / static_cast<double>(pictures_.size());
  s.mean_length = length_ / static_cast<double>(pictures_.size());
  return s;
}

}  // namespace fovea
