// Whom a scan shows. Apart from all other reading, so that nothing holds it that was not asked for it by name.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace fovea {

// What a file says of the patient and the study, as "name, value", in UTF-8 and printable; empty for formats that say nothing.
std::vector<std::pair<std::string, std::string>> read_patient(const std::filesystem::path& file);

}  // namespace fovea
