#include "pipeline/tasks/classify/stages.hpp"

#include "modules/io/files.hpp"
#include "pipeline/sinks/ledger_json.hpp"
#include "pipeline/stages/save.hpp"

namespace fovea {

void DecodeClasses::process(std::span<Frame> frames) {
  for (Frame& frame : frames) {
    frame.results.put(kPredictions, top_k(frame.results.get(kResult).outputs.at("logits"), classes_, top_));
    frame.results.remove(kResult);
    frame.results.remove(kImage);
  }
}

nlohmann::ordered_json answer_of(const Frame& frame, DType precision) {
  nlohmann::ordered_json json;
  put_name(json, "file", frame.source);
  json["precision"] = name_of(precision);
  json["top"] = to_json(frame.results.get(kPredictions));
  return json;
}

void SavePredictions::process(std::span<Frame> frames) {
  for (Frame& frame : frames) {
    const std::string text = dump(answer_of(frame, precision_)) + "\n";
    frame.results.remove(kPredictions);
    write_output(frame.output, [&] { write_file_atomically(frame.output, text.data(), text.size()); });
  }
}

}  // namespace fovea
