// A model whose answer is known beforehand, and a run over files.
#pragma once

#include <fstream>
#include <map>
#include <sstream>

#include "pipeline/process.hpp"
#include "pipeline/sinks/progress.hpp"
#include "pipeline/task.hpp"

namespace fovea::test {

// A network that calls bright what is bright: one weight and one bias.
inline Model threshold_model(const std::string& more = "") {
  Model m = Model::from_recipe("fovea: 1\n" + more +
                               "model:\n  head: {type: highlight, classes: [bright]}\npreprocess: {channels: 1, resize: none, "
                               "window: [200, 100], mean: 0, std: 1}\n");
  m.params()->load({{"conv.weight", Tensor::full({1, 1, 1, 1}, 100)}, {"conv.bias", Tensor::full({1}, -50)}});
  return m;
}

// The same with dropout in front of it, and a class for what is not bright.
inline Model two_class_model() {
  Model m = Model::from_recipe(
      "fovea: 1\nmodel:\n  head: {type: highlight, classes: [bright, dark], dropout: 0.25}\npreprocess: {channels: 1, resize: "
      "none, "
      "window: [200, 100], mean: 0, std: 1}\n");
  m.params()->load({{"conv.weight", Tensor::from(std::vector<float>{100, -100}, {2, 1, 1, 1})},
                    {"conv.bias", Tensor::from(std::vector<float>{-50, 50}, {2})}});
  return m;
}

struct Run {
  FileRunResult result;
  std::vector<std::string> reasons;
};

// `settings`: as on a command line; of words that are several, with blanks between them.
inline Run highlight(const Model& model, const std::vector<std::string>& inputs, const std::filesystem::path& out,
                     const std::map<std::string, std::string>& settings = {}) {
  const auto operation = task_of(model).operation();
  OptionList options;
  operation->add_options(options);
  for (const auto& [name, value] : settings) {
    std::istringstream words(value);
    for (std::string word; words >> word;) options.set(name, word);
  }
  Process process(*operation, {.inputs = inputs, .out = out, .report = true}, model);
  Run run{process.run(*make_progress(ProgressKind::quiet)), {}};
  std::ifstream ledger(out / "fovea-ledger.jsonl");
  for (std::string line; std::getline(ledger, line);)
    if (line.find("\"reason\"") != std::string::npos) run.reasons.push_back(line);
  return run;
}

}  // namespace fovea::test
