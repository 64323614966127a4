#include "apps/fovea/camera_arguments.hpp"

#include "datasets/video/address.hpp"
#include "pipeline/errors.hpp"
#include "pipeline/live/window_view.hpp"
#include "pipeline/task.hpp"

namespace fovea {
namespace {

constexpr const char* kUsualPage = "127.0.0.1:0";

bool is_number(const std::string& text) {
  return !text.empty() && text.size() <= 5 && text.find_first_not_of("0123456789") == std::string::npos;
}

// "HOST:PORT", ":PORT" or "PORT", as no file and no stream is called.
bool is_page_address(const std::string& text) {
  return text.find('/') == std::string::npos && is_number(text.substr(text.rfind(':') + 1));
}

void set_page(LiveServerOptions& page, const std::string& text) {
  const std::size_t colon = text.rfind(':');
  if (!is_page_address(text)) throw UsageError("--serve: expected HOST:PORT (127.0.0.1:8080), got \"" + text + "\"");
  page.port = std::stoi(text.substr(colon + 1));
  std::string host = colon == std::string::npos ? "" : text.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  if (!host.empty()) page.host = host;
}

}  // namespace

CameraArguments::CameraArguments() {
  page.max_streams = 16;
  for (const Task* task : TaskRegistry::global().all()) {
    auto operation = task->operation();
    if (!operation || !operation->takes_streams()) continue;
    operation->add_stream_options(task_options.of(task->name()));
    operations[task->name()] = std::move(operation);
  }
}

void CameraArguments::add_to(OptionList& o) {
  o.word(
      "SOURCE", source.source,
      "A video file, which plays in real time; an address (rtsp://, http:// ...); a folder of pictures; a device (/dev/video2); "
      "or - for standard input");
  o.word("-m,--model", model, "A model of the zoo or a .safetensors file");
  o.word("--precision", precision, "f32, bf16, or auto (bf16 where the processor has AMX)", {"f32", "bf16", "auto"});
  o.integer("-t,--threads", threads, 0, 1024, "Processors to use; 0: all that this process may use");
  o.integer("--device", device, 0, 255, "The camera /dev/videoN, where no source is named (default: 0)");
  o.hide_default();
  o.word("--size", source.size, "Of the camera's pictures, 1280x720: the nearest that it has (default: as it is set)");
  o.number("--rate", source.rate, 0, 1000,
           "Pictures a second of a camera, or of a folder; 0: as the camera is set, 10 of a folder");
  o.flag("--loop", source.loop, "Video files and folders begin again at their end");
  o.word("--raw", source.raw, "Standard input holds raw BGR frames of this size, 640x480, and not motion JPEG");
  o.optional_word("--serve", serve, "Show a page and no window. HOST:PORT; port 0 is any that is free", {kUsualPage});
  o.flag("--allow-remote", page.allow_remote, "The page may be reached from other machines (--serve 0.0.0.0:8080)");
  o.flag("--headless", headless, "No window and no page: only figures, and what --record and --events write");
  o.output_file("--record", record, "Write the pictures as they are drawn into a video, .mp4 or .mkv");
  o.word("--events", events, "Write what is seen as JSON, a line a frame, into a file or pipe; - is standard output");
  o.number("--limit", limit, 0, 1e9, "Seconds until it ends by itself; 0: when the source ends, or on Ctrl-C");
  o.flag("-q,--quiet", quiet, "Say nothing but warnings, errors and the page's address");
  o.flag("--json", json, "One JSON object a second on standard output, a summary last");
  task_options.offer(o);
}

bool CameraArguments::has_window() const { return !headless && serve.empty() && has_display(); }

void CameraArguments::settle() {
  for (const std::string& word : after_serve) {
    if (is_page_address(word)) serve = word;
    else if (source.source.empty()) source.source = word;
    else throw UsageError("--serve: expected HOST:PORT, got \"" + masked_address(word) + "\"");
  }
  if (device >= 0) source.device = device;
  if (headless && !serve.empty()) throw UsageError("--headless has no page, and --serve is one: choose one of them");
  if (json && events == "-") throw UsageError("--json and --events - both want standard output: write the events into a file");
  set_page(page, serve.empty() ? kUsualPage : serve);
}

}  // namespace fovea
