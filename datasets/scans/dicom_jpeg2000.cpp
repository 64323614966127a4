// dcmtk knows no JPEG 2000: OpenJPEG unpacks a frame, and a small data set of its own hands it to dcmtk, which knows all the rest.
#include "datasets/scans/dicom_frames.hpp"
#ifdef FOVEA_WITH_JP2
#include "datasets/codecs/jp2_decompress.hpp"
#endif

#include <algorithm>

namespace fovea::dicom {

#ifdef FOVEA_WITH_JP2

namespace {

// The components beside each other in every pixel, as unsigned words of which the lowest `bits` count.
std::vector<Uint16> words_of(const opj_image_t& image, int bits) {
  const std::size_t pixels = std::size_t{image.comps[0].w} * image.comps[0].h;
  const auto mask = (1u << bits) - 1;
  std::vector<Uint16> words(pixels * image.numcomps);
  for (std::size_t i = 0; i < pixels; ++i)
    for (std::size_t c = 0; c < image.numcomps; ++c)
      words[i * image.numcomps + c] = static_cast<Uint16>(static_cast<std::uint32_t>(image.comps[c].data[i]) & mask);
  return words;
}

void check_components(const opj_image_t& image, const PixelLayout& l, const std::string& file) {
  check(image.numcomps == static_cast<OPJ_UINT32>(l.samples), file, ": damaged DICOM: expected ", l.samples,
        " components in its JPEG 2000, got ", image.numcomps);
  for (OPJ_UINT32 c = 0; c < image.numcomps; ++c) {
    const opj_image_comp_t& comp = image.comps[c];
    if (comp.prec < 1 || comp.prec > 16) codec::unsupported(file, "a JPEG 2000 of ", comp.prec, " bits a sample");
    check(comp.data && comp.w == static_cast<OPJ_UINT32>(l.columns) && comp.h == static_cast<OPJ_UINT32>(l.rows), file,
          ": damaged DICOM: expected ", l.columns, "x", l.rows, " pixels in its JPEG 2000, got ", comp.w, "x", comp.h);
  }
}

}  // namespace

std::unique_ptr<DcmDataset> unpack_jpeg2000(DcmDataset& data, const PixelLayout& l, codec::View bytes, const std::string& file) {
  const codec::Jp2Image image = codec::decompress_jp2(bytes, file);
  check_components(*image, l, file);
  int bits = l.samples == 3 ? 1 : l.stored;  // what the codestream says counts for colours, and where it needs more
  for (OPJ_UINT32 c = 0; c < image->numcomps; ++c) bits = std::max(bits, static_cast<int>(image->comps[c].prec));
  const std::vector<Uint16> words = words_of(*image, bits);
  auto out = std::make_unique<DcmDataset>();
  const auto put = [&](const DcmTagKey& tag, int value) { out->putAndInsertUint16(tag, static_cast<Uint16>(value)); };
  put(DCM_Rows, l.rows), put(DCM_Columns, l.columns), put(DCM_SamplesPerPixel, l.samples);
  put(DCM_BitsAllocated, 16), put(DCM_BitsStored, bits), put(DCM_HighBit, bits - 1), put(DCM_PixelRepresentation, l.is_signed);
  if (l.samples == 3) put(DCM_PlanarConfiguration, 0);
  // OpenJPEG has turned the colours of YBR_RCT and YBR_ICT back into RGB.
  const bool turned = l.photometric == "YBR_RCT" || l.photometric == "YBR_ICT";
  out->putAndInsertString(DCM_PhotometricInterpretation, turned ? "RGB" : l.photometric.c_str());
  out->putAndInsertUint16Array(DCM_PixelData, words.data(), static_cast<unsigned long>(words.size()));
  for (const DcmTagKey& tag :
       {DCM_ModalityLUTSequence, DCM_RedPaletteColorLookupTableDescriptor, DCM_GreenPaletteColorLookupTableDescriptor,
        DCM_BluePaletteColorLookupTableDescriptor, DCM_RedPaletteColorLookupTableData, DCM_GreenPaletteColorLookupTableData,
        DCM_BluePaletteColorLookupTableData})
    if (DcmElement* element = nullptr; data.findAndGetElement(tag, element, OFFalse, OFTrue).good() && element)
      out->insert(element, true);
  return out;
}

#else

std::unique_ptr<DcmDataset> unpack_jpeg2000(DcmDataset&, const PixelLayout&, codec::View, const std::string& file) {
  codec::unsupported(file, "JPEG 2000 (this program was built without libopenjp2)");
}

#endif

}  // namespace fovea::dicom
