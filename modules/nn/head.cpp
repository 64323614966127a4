#include "modules/nn/head.hpp"

#include <charconv>

#include "modules/core/text.hpp"
#include "modules/nn/training.hpp"

namespace fovea {
namespace {

constexpr int kMostNameless = 100000;

// The number that `text` is, -1 where it is none.
int whole_number(const std::string& text) {
  int value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && value >= 0 && value <= kMostNameless ? value : -1;
}

}  // namespace

Shape OutputInfo::shape(const Shape& input) const {
  check(input.rank() == 4, "expected an input N x C x H x W, got ", input);
  std::vector<std::int64_t> dims;
  for (const OutputAxis& a : axes) {
    const std::int64_t side = a.of == OutputAxis::Of::height ? input[2] : input[3];
    switch (a.of) {
      case OutputAxis::Of::constant: dims.push_back(a.times); break;
      case OutputAxis::Of::batch: dims.push_back(input[0]); break;
      case OutputAxis::Of::height:
      case OutputAxis::Of::width: dims.push_back((side + a.per - 1) / a.per * a.times); break;
    }
  }
  return Shape(dims);
}

std::vector<OutputInfo> HeadInfo::given() const {
  std::vector<OutputInfo> all = outputs;
  if (Training::active()) all.insert(all.end(), training_outputs.begin(), training_outputs.end());
  return all;
}

std::vector<std::string> read_classes(Args& args, std::size_t least) {
  std::vector<std::string> names = args.list("classes", std::vector<std::string>{}, "names, or one number of nameless classes");
  if (const int count = names.size() == 1 ? whole_number(names[0]) : -1; count >= 0) {
    names.clear();
    for (int i = 0; i < count; ++i) names.push_back(std::to_string(i));
  }
  for (const std::string& name : names) {
    check(!name.empty(), args.where(), ": classes: expected names, or one number of nameless classes; got nothing");
    check(printable(name) == name, args.where(), ": classes: expected names in UTF-8 without control characters, got '",
          printable(name), "'");
  }
  check(names.size() >= least, args.where(), ": classes: expected at least ", least == 1 ? "one" : "two", ", got ", names.size());
  return names;
}

}  // namespace fovea
