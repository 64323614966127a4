// What reading and writing of videos share of FFmpeg: owners of its objects, its messages, its errors.
#pragma once

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
}

#include <cstring>
#include <memory>
#include <new>
#include <string>

namespace fovea::ffmpeg {

struct FreeInput {
  void operator()(AVFormatContext* p) const { avformat_close_input(&p); }
};
struct FreeOutput {
  void operator()(AVFormatContext* p) const {
    if (p->pb) avio_closep(&p->pb);
    avformat_free_context(p);
  }
};
struct FreeStream {
  void operator()(AVIOContext* p) const { avio_closep(&p); }
};
struct FreeCodec {
  void operator()(AVCodecContext* p) const { avcodec_free_context(&p); }
};
struct FreePacket {
  void operator()(AVPacket* p) const { av_packet_free(&p); }
};
struct FreeFrame {
  void operator()(AVFrame* p) const { av_frame_free(&p); }
};
using InputContext = std::unique_ptr<AVFormatContext, FreeInput>;
using OutputContext = std::unique_ptr<AVFormatContext, FreeOutput>;
using CodecContext = std::unique_ptr<AVCodecContext, FreeCodec>;
using Packet = std::unique_ptr<AVPacket, FreePacket>;
using Frame = std::unique_ptr<AVFrame, FreeFrame>;

// Throws std::bad_alloc where FFmpeg gave no object.
template <class T>
T* allocated(T* object) {
  if (!object) throw std::bad_alloc();
  return object;
}

// The number of an enumeration, which a file may have set to what is none of its values.
template <class Enum>
int number_of(const Enum& value) {
  static_assert(sizeof(Enum) == sizeof(int));
  int number = 0;
  std::memcpy(&number, &value, sizeof number);
  return number;
}

// Options by name. What is left after a call are those that nobody knew.
class Options {
 public:
  Options() = default;
  ~Options() { av_dict_free(&all_); }
  Options(const Options&) = delete;
  Options& operator=(const Options&) = delete;
  void set(const char* name, const std::string& value) { av_dict_set(&all_, name, value.c_str(), 0); }
  AVDictionary** get() { return &all_; }

 private:
  AVDictionary* all_ = nullptr;
};

// From the first call on, messages of FFmpeg in this process do not reach the terminal. Each thread keeps the last error that
// FFmpeg told it; this forgets it.
void listen();
// The message kept, in one line, without control characters and with the passwords of addresses masked; empty where there is
// none.
std::string last_message();
// Why a call failed: FFmpeg's number in words, and the message kept.
std::string reason(int error);
// The errno that an FFmpeg number stands for; 0 where it stands for none.
int system_error(int error);

}  // namespace fovea::ffmpeg
