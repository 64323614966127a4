#include "datasets/scans/dicom_items.hpp"

#include <charconv>
#include <cmath>

#include "modules/core/error.hpp"
#include "modules/core/text.hpp"

namespace fovea::dicom {
namespace {

std::string trimmed(std::string text) {
  const auto blank = [](char c) { return c == ' ' || c == '\0' || c == '\n' || c == '\r' || c == '\t'; };
  while (!text.empty() && blank(text.back())) text.pop_back();
  std::size_t first = 0;
  while (first < text.size() && blank(text[first])) ++first;
  return text.substr(first);
}

}  // namespace

std::string name_of(const DcmTagKey& tag) {
  DcmTag named(tag);
  return std::string(named.getTagName()) + " " + tag.toString().c_str();
}

std::string Item::text(const DcmTagKey& tag, unsigned long position) const {
  OFString value;
  if (!item || item->findAndGetOFString(tag, value, position).bad()) return {};
  return trimmed(printable(std::string(value.c_str(), value.length())));
}

std::optional<double> Item::number(const DcmTagKey& tag, unsigned long position) const {
  DcmElement* element = nullptr;
  if (!item || item->findAndGetElement(tag, element).bad() || !element || element->isEmpty()) return std::nullopt;
  // Numbers that are written as text are read here: whether "1,5" is one must not depend on the machine's language.
  if (const DcmEVR vr = element->ident(); vr == EVR_DS || vr == EVR_IS || vr == EVR_LO || vr == EVR_SH || vr == EVR_UN) {
    std::string value = text(tag, position);
    if (value.empty()) return std::nullopt;
    if (value.front() == '+') value.erase(0, 1);
    double v = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), v);
    // Not what stands there: in a damaged file it may be anything, a name too.
    check(error == std::errc() && end == value.data() + value.size() && std::isfinite(v), file, ": ", name_of(tag),
          ": expected a number, got text of ", value.size(), " characters");
    return v;
  }
  Float64 v = 0;
  if (element->getFloat64(v, position).good()) {
  } else if (Uint16 u16 = 0; element->getUint16(u16, position).good()) v = u16;
  else if (Sint16 s16 = 0; element->getSint16(s16, position).good()) v = s16;
  else if (Uint32 u32 = 0; element->getUint32(u32, position).good()) v = u32;
  else if (Sint32 s32 = 0; element->getSint32(s32, position).good()) v = s32;
  else if (Float32 f32 = 0; element->getFloat32(f32, position).good()) v = f32;
  else return std::nullopt;
  check(std::isfinite(v), file, ": ", name_of(tag), ": expected a finite number");
  return v;
}

std::vector<double> Item::numbers(const DcmTagKey& tag) const {
  std::vector<double> all;
  DcmElement* element = nullptr;
  if (!item || item->findAndGetElement(tag, element).bad() || !element) return all;
  for (unsigned long i = 0; i < element->getVM(); ++i)
    if (const auto v = number(tag, i)) all.push_back(*v);
  return all;
}

std::optional<std::vector<double>> Item::numbers(const DcmTagKey& tag, std::size_t count) const {
  std::vector<double> all = numbers(tag);
  if (all.empty()) return std::nullopt;
  check(all.size() == count, file, ": ", name_of(tag), ": expected ", count, " numbers, got ", all.size());
  return all;
}

int Item::whole(const DcmTagKey& tag, int least, int most, std::optional<int> otherwise) const {
  const auto v = number(tag);
  if (!v && otherwise) return *otherwise;
  check(v.has_value(), file, ": damaged DICOM: ", name_of(tag), " is missing");
  check(*v == std::floor(*v) && *v >= least && *v <= most, file, ": ", name_of(tag), ": expected a whole number from ", least,
        " to ", most, ", got ", *v);
  return static_cast<int>(*v);
}

Item Item::in(const DcmTagKey& sequence, long index) const {
  DcmItem* found = nullptr;
  if (item && item->findAndGetSequenceItem(sequence, found, index).good()) return {found, file};
  return {nullptr, file};
}

bool Item::has(const DcmTagKey& tag) const { return item && item->tagExistsWithValue(tag); }

}  // namespace fovea::dicom
