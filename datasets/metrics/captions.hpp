// How well sentences about pictures agree with those that people wrote of the same pictures, number for number as pycocoevalcap
// (https://github.com/salaniz/pycocoevalcap) measures it, on words:
//   BLEU-1 to 4   Papineni et al. 2002: precision of n-grams, clipped by the reference that has most of each, over all pictures,
//                 and a brevity penalty by the reference of the closest length (of two the shorter)
//   ROUGE-L       Lin 2004: F of the longest common subsequence, beta 1.2, with the best precision and the best recall of all
//                 references; the mean of all pictures
//   CIDEr-D       Vedantam et al. 2015, arXiv:1411.5726: ten times the clipped cosine of n-grams (1 to 4) weighted by how few
//                 pictures' references have them, with a Gaussian penalty (sigma 6) on the difference of lengths; the mean of
//                 references, then of pictures. With one picture every weight is 0.
// Captions and references come as words; text becomes words, in small letters and without punctuation, by the rule of
// datasets/text/words.hpp. No word is ever replaced by <unk>.
#pragma once

#include <array>
#include <cstdint>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace fovea {

struct CaptionsScores {
  std::array<double, 4> bleu{};
  double rouge_l = 0, cider_d = 0;
  std::vector<double> rouge_l_each, cider_d_each;  // in the order in which pictures were added
  double distinct = 0;                             // captions that differ, as a share of all
  double mean_length = 0;                          // of captions, in words
  std::int64_t pictures = 0, references = 0;
};

class CaptionsMetrics {
 public:
  using Words = std::vector<std::string>;
  static constexpr std::size_t kMostWords = 1000;  // of a sentence: ROUGE-L takes the square of it in steps

  // What was said of a picture, and what people said of it. A caption without words is the worst; references without words say
  // nothing and are left out. Error where none is left, and for sentences of more than kMostWords.
  void add(const Words& caption, const std::vector<Words>& references);

  std::int64_t pictures() const { return static_cast<std::int64_t>(pictures_.size()); }
  // Error where nothing was added.
  CaptionsScores scores() const;

 private:
  struct Count {
    std::uint32_t gram;
    int count;
  };
  struct Sentence {
    std::vector<std::uint32_t> words;
    std::array<std::vector<Count>, 4> grams;  // of 1 to 4 words, by their numbers
  };
  struct Picture {
    Sentence caption;
    std::vector<Sentence> references;
  };
  using Weights = std::array<std::vector<double>, 4>;  // beside Sentence::grams

  Sentence sentence(const Words& words);
  std::uint32_t number_of(std::uint32_t before, std::uint32_t word);
  void count_bleu(const Picture& picture);
  std::array<double, 4> bleu() const;
  static double rouge_l(const Picture& picture);
  Weights weights_of(const Sentence& sentence) const;
  double cider_d(const Picture& picture) const;
  static double similarity(const Sentence& a, const Weights& of_a, const Sentence& b, const Weights& of_b);

  std::unordered_map<std::string, std::uint32_t> words_;
  std::unordered_map<std::uint64_t, std::uint32_t> grams_;  // a gram by the one without its last word, and that
  std::vector<std::int64_t> pictures_with_;                 // a gram in their references
  std::vector<Picture> pictures_;
  std::set<std::vector<std::uint32_t>> distinct_;
  std::array<double, 4> right_{}, said_{};  // n-grams, for BLEU
  double length_ = 0, closest_length_ = 0;
};

}  // namespace fovea
