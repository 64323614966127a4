#include "modules/attention/spatial/bam_logits.hpp"

#include "modules/ops/unary.hpp"

namespace fovea {

// The authors start all convolutions with kaiming-normal weights and no bias.
BamLogits::BamLogits(const Scope& s, const Options& o)
    : reduce_(s / "reduce",
              {.in = o.in, .out = o.hidden, .init = init::kaiming_normal(0, init::Fan::out), .bias_init = init::zeros()}),
      reduce_bn_(s / "reduce_bn", o.hidden),
      final_(s / "final",
             {.in = o.hidden, .out = 1, .init = init::kaiming_normal(0, init::Fan::out), .bias_init = init::zeros()}) {
  for (std::int64_t i = 0; i < o.convolutions; ++i) {
    dilated_.emplace_back(s / "dilated" / i, Conv2d::Options{.in = o.hidden,
                                                             .out = o.hidden,
                                                             .kernel = 3,
                                                             .pad = o.dilation,
                                                             .dilation = o.dilation,
                                                             .init = init::kaiming_normal(0, init::Fan::out),
                                                             .bias_init = init::zeros()});
    dilated_bn_.emplace_back(s / "dilated_bn" / i, o.hidden);
  }
}

Var BamLogits::operator()(const Var& x) const {
  Var z = relu(reduce_bn_(reduce_(x)));
  for (std::size_t i = 0; i < dilated_.size(); ++i) z = relu(dilated_bn_[i](dilated_[i](z)));
  return final_(z);
}

BamLogits::Options BamLogits::read(Args& args, std::int64_t channels, std::int64_t hidden, const std::string& where) {
  const int dilation = args.get("dilation", 4, "of the 3 x 3 convolutions");
  const int convolutions = args.get("convolutions", 2, "dilated convolutions", {0, 64});
  check(dilation > 0 && convolutions >= 0, where, ": expected dilation > 0 and convolutions >= 0, got ", dilation, " and ",
        convolutions);
  return {.in = channels, .hidden = hidden, .dilation = dilation, .convolutions = convolutions};
}

}  // namespace fovea
