#include "apps/fovea/summary.hpp"

#include <fmt/format.h>

#include <cmath>
#include <iostream>
#include <nlohmann/json.hpp>

#include "pipeline/clock.hpp"
#include "pipeline/sinks/ledger_json.hpp"
#include "pipeline/sinks/progress.hpp"
#include "pipeline/sinks/report.hpp"

namespace fovea {
namespace {

struct Cpu {
  double model = 0, codec = 0;
};

Cpu cpu_of(const FileRunResult& result) {
  Cpu cpu;
  for (const auto& [stage, seconds] : result.cpu) (stage == "model" ? cpu.model : cpu.codec) += seconds;
  return cpu;
}

double rounded(double seconds) { return std::round(seconds * 1e4) / 1e4; }

std::string images(std::size_t count) { return fmt::format("{} image{}", count, count == 1 ? "" : "s"); }

}  // namespace

void print_json_summary(const Summary& s) {
  const FileRunResult& r = s.result;
  const Cpu cpu = cpu_of(r);
  nlohmann::ordered_json json{{"event", "summary"},
                              {"model", s.operation.model().name()},
                              {"precision", name_of(s.process.precision())},
                              {"total", r.total},
                              {"done", r.done},
                              {"up_to_date", r.up_to_date},
                              {"quarantined", r.quarantined},
                              {"left", r.left},
                              {"skipped", r.skipped.size()},
                              {"of_other_settings", r.others.settings},
                              {"of_other_inputs", r.others.inputs}};
  s.operation.add_to_summary(json);
  if (!r.stopped.empty()) json["stopped"] = r.stopped;
  if (!r.warning.empty()) json["warning"] = r.warning;
  for (const SkippedFile& f : r.skipped) {
    nlohmann::ordered_json one;
    put_name(one, "input", f.source);
    one["reason"] = f.reason;
    json["skipped_files"].push_back(std::move(one));
  }
  put_name(json, "out", s.out);
  for (const auto& file : s.process.files())
    if (file.extension() == ".html") put_name(json, "report", file.string());
  json["wall_s"] = rounded(r.wall);
  json["model_cpu_s"] = rounded(cpu.model);
  json["codec_cpu_s"] = rounded(cpu.codec);
  json["process_cpu_s"] = rounded(process_cpu_seconds());
  json["threads"] = s.threads;
  json["peak_rss_mb"] = std::round(peak_memory_mb() * 10) / 10;
  std::cout << dump(json) << "\n";
}

void print_summary(const Summary& s) {
  const FileRunResult& r = s.result;
  const Cpu cpu = cpu_of(r);
  std::cout << fmt::format("{} {} with {} in {}, {} ({:.1f} s of processor time for the model, {:.1f} s for the rest)\n",
                           images(r.done), s.operation.done_text(), s.operation.model().name(), clock_text(r.wall),
                           name_of(s.process.precision()), cpu.model, cpu.codec);
  if (r.up_to_date > 0) std::cout << images(r.up_to_date) << " up to date from before\n";
  if (r.quarantined > 0)
    std::cout << images(r.quarantined) << " quarantined; the reasons are in " << s.out << "/" << kLedgerName << "\n";
  if (!r.skipped.empty()) std::cout << images(r.skipped.size()) << " skipped:\n";
  for (const SkippedFile& f : r.skipped) std::cout << "  " << printable(f.source) << ": " << printable(f.reason) << "\n";
  for (const std::string& line : s.operation.summary_lines()) std::cout << line << "\n";
  std::cout << "results:  " << s.out << "\n";
  for (const auto& file : s.process.files())
    std::cout << (file.extension() == ".html" ? "report:   " : "table:    ") << file.string() << "\n";
  if (const std::string text = others_text(r.others); !text.empty()) std::cout << text << "\n";
  std::cout << std::flush;
  if (!r.warning.empty()) std::cerr << r.warning << "\n";
  if (r.left > 0)
    std::cerr << fmt::format("{} left ({}). Give the same command again to go on.\n", images(r.left),
                             r.stopped.empty() ? "inputs changed meanwhile" : r.stopped);
}

}  // namespace fovea
