// What the commands below `fovea data` share: their sources, and what these leave out.
#pragma once

#include <string>
#include <vector>

#include "apps/fovea/commands.hpp"
#include "datasets/boxes/annotations.hpp"

namespace fovea {

struct BoxSources {
  std::vector<std::string> sources, splits, classes;
  bool one_based = false;  // Pascal VOC's corners: see VocOptions

  void add_options(OptionList& options);  // all but the sources
};

struct CaptionsSources {
  bool wanted = false;
  std::string images;
};
// Of each source of captions; prints what is wrong, and gives the exit code.
int check_captions(const std::vector<std::string>& sources, const CaptionsSources& from, const std::string& json);

// Each split of each source; without splits the usual ones that a source names, else all of it. A part is called as its split,
// with several sources as source and split. `same_classes`: labels of all parts count all classes; without it only those of
// Pascal VOC do, whose files say no classes themselves. UsageError where --one-based does not fit.
std::vector<BoxPart> read_parts(const BoxSources& sources, bool same_classes);

// "train", or "all" for a part without a name.
std::string shown_name(const BoxPart& part);

// Says on standard error what reading left out. Whether something was, other than files of formats that are not read and, where
// classes were chosen, objects of others.
bool tell_left_out(const std::vector<BoxPart>& parts, bool classes_chosen);

Command data_check_command();
Command data_convert_command();
Command data_show_command();
Command data_info_command();

}  // namespace fovea
