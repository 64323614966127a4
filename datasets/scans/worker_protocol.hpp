// What the library and the process that decodes scans for it tell each other: messages of a kind and bytes over a socket.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "datasets/scans/scan.hpp"

namespace fovea::scan_worker {

enum class Kind : std::uint8_t {
  // Asked:
  open,        // a path; the others are about the file that was opened last
  frame_info,  // a frame's number, four bytes
  frame,       // likewise
  patient,     // a path
  header,      // a path
  // Answered:
  json,     // text
  dataset,  // as header.hpp says
  pixels,   // rows, columns and type, four bytes each, then the rows
  refused,  // the reason: it is the file's fault
  failed,   // an errno, four bytes, then the reason: the machine's fault
};

struct Message {
  Kind kind = Kind::refused;
  std::string bytes;
};

// False where the other side is gone.
bool send(int socket, const Message& message);

enum class Silence { none, gone, late };
struct Received {
  std::optional<Message> message;
  Silence why = Silence::none;
};
// Nothing where the other side is gone, says more than `most` bytes, or has not said all of it in time; `seconds` < 0 waits for ever.
Received receive(int socket, std::size_t most, double seconds);

std::string number_bytes(std::int32_t number);
std::int32_t number_in(std::string_view bytes, std::size_t at);  // Error where there are too few

struct Description {
  ScanInfo info;
  std::optional<VoiLut> lut;
};
std::string to_text(const Description& description);
std::string to_text(const FrameInfo& info);
// Checked: the other side has read a stranger's file and may have come to harm. Error.
Description description_in(const std::string& text, const std::string& file);
FrameInfo frame_info_in(const std::string& text, const std::string& file);

}  // namespace fovea::scan_worker
