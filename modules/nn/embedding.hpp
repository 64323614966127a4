// Embedding of numbers, and positions of a sequence.
#pragma once

#include <string>

#include "modules/nn/scope.hpp"

namespace fovea {

// As nn.Embedding: parameter weight (count x width), at first normal (0, 1), with zeros for the padding's row, which gets no
// gradient.
class Embedding {
 public:
  struct Options {
    std::int64_t count = 0, width = 0, padding = -1;  // padding: a row; none if negative
    Init init = {};
  };
  Embedding(const Scope& scope, const Options& options);
  // numbers: s64 of any shape, from 0 to count - 1. The result has that shape and width.
  Var operator()(const Var& numbers) const;

  Var weight;

 private:
  std::string path_;
  std::int64_t padding_;
};

// Vaswani et al. 2017, arXiv:1706.03762: row p holds sin(p / 10000^(2i/width)) in column 2i and the cosine in column 2i + 1.
// length x width, rows from `first` on.
Tensor sinusoid_positions(std::int64_t length, std::int64_t width, std::int64_t first = 0);

// What is added to tokens N x L x width for where they are.
class Positions {
 public:
  enum class Kind : std::uint8_t { none, sinusoid, learned };
  // learned: parameter weight (most x width), at first normal (0, 0.02). `most` is the longest sequence that learned positions
  // take.
  Positions(const Scope& scope, Kind kind, std::int64_t most, std::int64_t width);
  // `first`: the position of the first token, for sequences that come piece by piece. Error past `most`.
  Var operator()(const Var& tokens, std::int64_t first = 0) const;

 private:
  Kind kind_;
  std::int64_t most_;
  Var weight_;
};

// "none", "sinusoid" or "learned"; `where` opens the message for another name.
Positions::Kind positions_kind(const std::string& name, const std::string& where);

}  // namespace fovea
