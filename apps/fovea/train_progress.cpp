#include "apps/fovea/train_progress.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <iostream>

namespace fovea {

void print_progress(const Trainer::Progress& p) {
  const bool terminal = isatty(STDERR_FILENO);
  if (p.validation) {
    if (p.validation->details.is_null()) return;  // there was nothing to validate with
    std::cerr << (terminal ? "\r\033[K" : "") << fmt::format("step {}/{}  {}\n", p.step, p.steps, p.validation->details.dump());
    return;
  }
  const double left = p.steps_per_second > 0 ? static_cast<double>(p.steps - p.step) / p.steps_per_second : 0;
  std::string numbers;
  for (const auto& [name, value] : p.numbers) numbers += fmt::format("  {} {:.4f}", name, value);
  const std::string line = fmt::format("step {}/{}  loss {:.5f}{}  lr {:.2e}  {:.2f} steps/s  {:.0f} min left", p.step, p.steps,
                                       p.loss, numbers, p.lr, p.steps_per_second, left / 60);
  if (!terminal) {
    std::cerr << line << "\n";
    return;
  }
  constexpr int kBar = 24;
  const int full = static_cast<int>(p.step * kBar / std::max<std::int64_t>(1, p.steps));
  std::cerr << "\r\033[K[" << std::string(static_cast<std::size_t>(full), '=')
            << std::string(static_cast<std::size_t>(kBar - full), ' ') << "] " << line << std::flush;
}

}  // namespace fovea
