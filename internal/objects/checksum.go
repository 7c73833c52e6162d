package objects

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"net/http"
	"strings"
)

// Checksum is what a store says that the bytes of an object add up to. The zero
// value is none.
type Checksum struct {
	Algorithm string // crc32c, crc64nvme, crc32, sha256, sha1
	Sum       string // base64
	Parts     bool   // it is one of the checksums of parts, not of the bytes
}

// algorithms in the order of what they cost, which is that of preference.
var algorithms = []string{"crc32c", "crc64nvme", "crc32", "sha1", "sha256"}

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	nvme       = crc64.MakeTable(0x9a6c9329ac4bc9b5)
)

// checksumOf reads the checksum in the headers of a reply.
func checksumOf(h http.Header) Checksum {
	for _, a := range algorithms {
		if sum := h.Get("X-Amz-Checksum-" + a); sum != "" {
			return Checksum{Algorithm: a, Sum: sum, Parts: h.Get("X-Amz-Checksum-Type") == "COMPOSITE" || strings.Contains(sum, "-")}
		}
	}
	return Checksum{}
}

// Hash gives a hash with whose Sum the bytes of the object can be compared by
// [Checksum.Is]; nil if there is none of the whole.
func (c Checksum) Hash() hash.Hash {
	if c.Parts {
		return nil
	}
	switch c.Algorithm {
	case "crc32c":
		return crc32.New(castagnoli)
	case "crc64nvme":
		return crc64.New(nvme)
	case "crc32":
		return crc32.NewIEEE()
	case "sha1":
		return sha1.New()
	case "sha256":
		return sha256.New()
	}
	return nil
}

// Is says whether a hash that [Checksum.Hash] gave has come to this sum.
func (c Checksum) Is(h hash.Hash) bool {
	return base64.StdEncoding.EncodeToString(h.Sum(nil)) == c.Sum
}

// crc32c is the checksum that requests carry.
func crc32c(body []byte) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.Checksum(body, castagnoli)))
}
