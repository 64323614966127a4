// What the command line of `fovea camera` says.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "apps/fovea/task_options.hpp"
#include "pipeline/live/open_source.hpp"
#include "pipeline/live/server.hpp"
#include "pipeline/operation.hpp"

namespace fovea {

struct CameraArguments {
  std::string model = "photos", precision = "f32";
  int threads = 0;                                               // 0: all
  std::map<std::string, std::unique_ptr<Operation>> operations;  // that take streams, by task
  TaskOptions task_options;

  SourceChoice source;
  int device = -1;  // -1: not said
  std::string serve;
  std::vector<std::string> after_serve;  // words behind a --serve that may stand alone
  LiveServerOptions page;
  bool headless = false;
  std::string record, events;
  double limit = 0;  // seconds; 0: none
  bool quiet = false, json = false;

  CameraArguments();  // with every operation that takes streams
  void add_to(OptionList& options);
  // Puts together what several options say. UsageError where they do not go together.
  void settle();
  // A window where there is a display, unless a page is asked for; else the page.
  bool has_window() const;
  bool has_page() const { return !headless && !has_window(); }
};

}  // namespace fovea
