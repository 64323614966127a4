// Reading scans in this process, as the worker does. A damaged file may end it.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "datasets/scans/scan.hpp"

namespace fovea {

std::unique_ptr<Scan> open_scan_in_process(const std::filesystem::path& file);
std::vector<std::pair<std::string, std::string>> read_patient_in_process(const std::filesystem::path& file);
std::string read_header_in_process(const std::filesystem::path& file);

}  // namespace fovea
