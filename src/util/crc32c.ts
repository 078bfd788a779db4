/**
 * @file CRC-32C (Castagnoli; RFC 3720, appendix B.4), and the masked form by which TFRecord files check their records
 * (tensorflow/core/lib/hash/crc32c.h: a CRC of bytes that contain CRCs would be weak).
 */

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0); // the polynomial, reversed
  return crc;
});

/** Of the bytes, in [0, 2^32). */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = TABLE[(crc ^ byte) & 255] ^ (crc >>> 8);
  return ~crc >>> 0;
}

export function maskedCrc32c(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}
