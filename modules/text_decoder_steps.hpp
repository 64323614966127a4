// The decoder of a network that writes text, word by word, through a compiled plan: what a search for sentences is made of (heads/text_decoder.hpp).
//
//   const TextDecoderSteps steps(model);
//   TextDecoderSteps::Sentences s = steps.start(model.run(x), 3);    // three sentences of each picture
//   TextDecoderSteps::Step first = steps.next(s, {1, 1, 1, ...});    // scores of the word behind <start>, for each sentence
//   s.keep({0, 0, 2, ...});                                      // sentence 1 goes on from where 0 was
//
// Several threads may use one, each with sentences of its own.
#pragma once

#include <memory>
#include <vector>

#include "modules/heads/text_decoder.hpp"
#include "modules/model.hpp"

namespace fovea {

class TextDecoderSteps {
 public:
  struct Step {
    Tensor scores;     // rows x V
    Tensor attention;  // rows x maps x L
  };
  class Sentences {
   public:
    std::int64_t rows() const { return rows_; }
    std::int64_t said() const { return said_; }  // steps so far
    // Row i goes on as row from[i] was; of the same picture, as long as `start` put its rows together. Error for other counts.
    void keep(const std::vector<std::int64_t>& from);

   private:
    friend class TextDecoderSteps;
    std::int64_t rows_ = 0, said_ = 0;
    Tensors fixed_, state_;
  };

  // Error where the model's head is none for captions.
  explicit TextDecoderSteps(Model model);

  // places: the network's output, N x E x h x w. Rows are N * each, those of one picture together.
  Sentences start(const Tensor& places, std::int64_t each) const;
  // The next word of each row. Error past head().most().
  Step next(Sentences& sentences, const std::vector<std::int64_t>& words) const;

  const TextDecoderHead& head() const { return *head_; }
  const Model& model() const { return model_; }

 private:
  struct Plans;
  Model model_;
  const TextDecoderHead* head_;
  std::shared_ptr<Plans> plans_;
};

}  // namespace fovea
