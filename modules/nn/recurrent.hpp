// Recurrent layers with PyTorch's parameter names and gate order. Sequences are N x T x C; parameters start uniform in
// +-1/sqrt(hidden).
#pragma once

#include <string>
#include <vector>

#include "modules/nn/scope.hpp"

namespace fovea {

struct LstmState {
  Var h, c;  // N x hidden
};

// What cells have in common: parameters weight_ih (G H x I), weight_hh (G H x H), bias_ih, bias_hh (G H) of G gates.
class RecurrentCell {
 public:
  Var projected(const Var& x) const;  // what x (... x I) adds to the gates: ... x G H, for many steps at once

  Var weight_ih, weight_hh, bias_ih, bias_hh;

 protected:
  // `suffix` follows the parameters' names, as in "_l0_reverse".
  RecurrentCell(const Scope& scope, std::int64_t gates, std::int64_t in, std::int64_t hidden, bool bias,
                const std::string& suffix);

  std::string path_;
  std::int64_t hidden_;
};

// Hochreiter & Schmidhuber 1997, gates i, f, g, o: c = sigmoid(f) c + sigmoid(i) tanh(g), h = sigmoid(o) tanh(c).
class LstmCell : public RecurrentCell {
 public:
  LstmCell(const Scope& scope, std::int64_t in, std::int64_t hidden, bool bias = true, const std::string& suffix = "");
  LstmState operator()(const Var& x, const LstmState& state) const { return step(projected(x), state); }
  LstmState step(const Var& projected, const LstmState& state) const;
  LstmState start(std::int64_t batch) const;  // zeros
};

// Cho et al. 2014, arXiv:1406.1078, gates r, z, n: n = tanh(W x + b + r (U h + d)), h = (1 - z) n + z h.
class GruCell : public RecurrentCell {
 public:
  GruCell(const Scope& scope, std::int64_t in, std::int64_t hidden, bool bias = true, const std::string& suffix = "");
  Var operator()(const Var& x, const Var& h) const { return step(projected(x), h); }
  Var step(const Var& projected, const Var& h) const;
  Var start(std::int64_t batch) const;
};

struct RecurrentOptions {
  std::int64_t in = 0, hidden = 0, layers = 1;
  bool bias = true, bidirectional = false;
  double dropout = 0;  // between layers, in training
};

// Sequences of a batch may be of different lengths (each in 1..T; none given: all of T). Then every sequence is run as if it were
// alone: results past its end are 0, a direction that runs backwards begins at its last element, and the last state is the one at
// its end.
using Lengths = std::vector<std::int64_t>;

struct LstmResult {
  Var output;  // N x T x (directions H)
  Var h, c;    // (layers directions) x N x H, the state after the last element
};
// Parameters weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0, those with _reverse, then _l1, ... `start`, if given, is such an
// h and c.
class Lstm {
 public:
  Lstm(const Scope& scope, const RecurrentOptions& options);
  LstmResult operator()(const Var& x, const Lengths& lengths = {}, const LstmState& start = {}) const;

 private:
  std::vector<LstmCell> cells_;  // layer by layer, forwards before backwards
  RecurrentOptions o_;
};

// Declares the biases of an LSTM's parameters ahead: 0, but 1 in the forget gates, which then remember at first.
Scope remembering(const Scope& scope, std::int64_t hidden, const std::vector<std::string>& suffixes);

struct GruResult {
  Var output, h;
};
class Gru {
 public:
  Gru(const Scope& scope, const RecurrentOptions& options);
  GruResult operator()(const Var& x, const Lengths& lengths = {}, const Var& start = {}) const;

 private:
  std::vector<GruCell> cells_;
  RecurrentOptions o_;
};

}  // namespace fovea
