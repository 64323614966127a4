// Sentences for pictures by a captioning network: beam search, or words drawn by their probabilities.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "datasets/text/encoder.hpp"
#include "modules/text_decoder_steps.hpp"

namespace fovea {

struct WriterOptions {
  int beam = 3;  // 1: always the likeliest word
  // A sentence of n words, its end counted, is as good as the sum of its log-probabilities / n^length_power: 0 favours short ones, 1 takes their mean.
  double length_power = 0.7;
  int repeat = 3;  // no run of so many words comes twice; 0: it may
  // Above 0: words are drawn instead, among the likeliest that together have this probability (Holtzman et al. 2019, arXiv:1904.09751).
  double nucleus = 0;
  double temperature = 1;  // of what is drawn: the scores are divided by it
  int samples = 1;         // sentences that are drawn
  std::uint64_t seed = 0;  // the same for every picture: what is drawn does not depend on its neighbours
};

struct Caption {
  std::vector<std::int64_t> words;        // without <start> and <end>
  std::vector<double> log_probabilities;  // of each word, and of the end, where it came to one
  double score = 0;                       // by which captions are ordered: see length_power
  Tensor attention;                       // words x maps x L: where each word was seen
  std::string text;
};

class CaptionWriter {
 public:
  // Error where the model carries no text encoder or another number of words.
  CaptionWriter(Model model, const WriterOptions& options);

  // For each picture of the network's output "places" its captions, the best first: as many as the beam or samples are wide, each text once. At least one, which may be
  // empty.
  std::vector<std::vector<Caption>> operator()(const Tensor& places) const;

  const Model& model() const { return steps_.model(); }
  const TextEncoder& encoder() const { return *encoder_; }
  const WriterOptions& options() const { return options_; }

 private:
  TextDecoderSteps steps_;
  std::shared_ptr<const TextEncoder> encoder_;
  WriterOptions options_;
};

}  // namespace fovea
