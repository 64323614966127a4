// One run at a time writes into a folder. The lock is on the open folder itself: it leaves no file behind and ends with the
// process, however that ends.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "modules/core/error.hpp"

namespace fovea {

// Another run holds the folder; try again later.
class FolderBusy : public Error {
 public:
  using Error::Error;
};

class FolderLock {
 public:
  // FileError: it cannot be opened; FolderBusy. What this file system cannot do is said to people by `warn`, and the run goes on without.
  FolderLock(const std::filesystem::path& folder, const std::function<void(const std::string&)>& warn);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  int fd_;
};

// Removes the temporary files that a killed run left in a folder, and in the folders in it, such as one output's overlays
// (write_file_atomically's names, and nothing else).
// Gives how many. Only for who holds the lock.
int remove_stale_temporaries(const std::filesystem::path& folder);

}  // namespace fovea
