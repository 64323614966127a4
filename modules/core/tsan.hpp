// What one thread leaves to another through a library that ThreadSanitizer cannot look into (libgomp, oneTBB): without a word it takes
// such a hand-over for a race. Nothing in other builds, and nothing that orders threads: the library does.
#pragma once

#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
// For functions that read what the library itself carries to a thread, before there is anything to name.
#define FOVEA_CARRIED __attribute__((no_sanitize("thread")))
#else
#define FOVEA_CARRIED
#endif

namespace fovea {

// All that this thread did so far is done before what others do behind their happens_after of the same address.
inline void happens_before([[maybe_unused]] const void* at) {
#if defined(__SANITIZE_THREAD__)
  __tsan_release(const_cast<void*>(at));
#endif
}

inline void happens_after([[maybe_unused]] const void* at) {
#if defined(__SANITIZE_THREAD__)
  __tsan_acquire(const_cast<void*>(at));
#endif
}

}  // namespace fovea
