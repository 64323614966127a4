// Reading attributes of a DICOM data set, checked. Absent and empty are the same; what is there and wrong is an Error that names the attribute,
// never its value: that may be somebody's name.
#pragma once

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dctk.h>

#include <optional>
#include <string>
#include <vector>

namespace fovea::dicom {

// What a file must have to be read: its name for messages.
struct Item {
  DcmItem* item = nullptr;
  std::string file;

  explicit operator bool() const { return item != nullptr; }
  // Trimmed, printable.
  std::string text(const DcmTagKey& tag, unsigned long position = 0) const;
  // Error unless it is a finite number.
  std::optional<double> number(const DcmTagKey& tag, unsigned long position = 0) const;
  std::vector<double> numbers(const DcmTagKey& tag) const;
  // Of exactly so many; nothing where it is absent.
  std::optional<std::vector<double>> numbers(const DcmTagKey& tag, std::size_t count) const;
  // A whole number in a range; Error where it is absent and no `otherwise` is given.
  int whole(const DcmTagKey& tag, int least, int most, std::optional<int> otherwise = {}) const;
  // Item `index` of a sequence; null where there is none.
  Item in(const DcmTagKey& sequence, long index = 0) const;
  bool has(const DcmTagKey& tag) const;
};

// "Rows (0028,0010)"
std::string name_of(const DcmTagKey& tag);

}  // namespace fovea::dicom
