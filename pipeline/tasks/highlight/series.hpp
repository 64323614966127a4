// Files that belong to one series of a scanner.
#pragma once

#include "pipeline/sources/work_list.hpp"

namespace fovea {

// The files of one series in one folder are one input, "study/series-" and a few digits that stand for its identifier; every other file, and one that cannot be opened,
// is one by itself.
InputMapping series_mapping();

}  // namespace fovea
