// What the heads of attention layers do, over many images: how spread their attention is, how far they look, how they differ.
// Attention distance: Dosovitskiy et al. 2020, arXiv:2010.11929. All logarithms are natural (nats).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "modules/explain/attention.hpp"
#include "modules/explain/score.hpp"

namespace fovea::explain {

double entropy(std::span<const double> p);                                   // of weights, made to sum to 1
double kl_from_uniform(std::span<const double> p);                           // log n - entropy
double js_divergence(std::span<const double> p, std::span<const double> q);  // 0 for equal ones, log 2 for disjoint ones

// The mean over the images seen so far, and the standard deviation between images.
class Mean {
 public:
  void add(double v) { ++count_, sum_ += v, squares_ += v * v; }
  double mean() const { return count_ > 0 ? sum_ / static_cast<double>(count_) : 0; }
  double stddev() const;
  std::int64_t count() const { return count_; }

 private:
  std::int64_t count_ = 0;
  double sum_ = 0, squares_ = 0;
};

struct HeadStatistics {
  Mean entropy;   // of a query's attention, mean over queries
  Mean distance;  // input pixels between a query and what it looks at, weighted by attention; nothing where positions are unknown
  Mean from_uniform;  // Kullback-Leibler divergence from looking everywhere equally
  Mean to_others;     // Jensen-Shannon divergence to the layer's other heads, mean over these and over queries
};

// Collects layers of attention: whole, in windows, or received (what was averaged over the queries counts as one query, without
// distance); and gates of positions, which count as one head without distance whose values are made to sum to 1.
class Statistics {
 public:
  struct Row {
    std::string layer;
    std::int64_t head = 0;
    LayerKind kind = LayerKind::attention;
    std::int64_t positions = 0;  // that attention is spread over: entropy is at most its logarithm
    HeadStatistics values;
  };

  void add(const Layer& layer, const Tensor& value);  // one sample's
  // Runs the network on one sample and adds all `layers`.
  void add(const ForwardFunction& network, const Tensor& x, const std::vector<Layer>& layers);

  std::vector<Row> rows() const;  // layers in the order in which they came, heads inside
  std::string csv() const;
  std::string json(const std::map<std::string, std::string>& facts = {}) const;

 private:
  std::vector<HeadStatistics>& heads_of(const Layer& layer, std::size_t heads, std::int64_t positions);

  struct Entry {
    std::string layer;
    LayerKind kind;
    std::int64_t positions;
    std::vector<HeadStatistics> heads;
  };
  std::vector<Entry> entries_;
};

// One panel for each quantity: layers from left to right, a point for each head. A self-contained SVG picture.
std::string statistics_svg(const Statistics& statistics);

}  // namespace fovea::explain
