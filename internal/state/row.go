package state

import (
	"encoding/binary"
	"hash/crc32"

	"go.etcd.io/bbolt"

	"sluice/pipeline"
)

// apply writes rows, and the sum of the checksums of all that there are then.
func apply(b *bbolt.Bucket, rows []pipeline.Row) error {
	sum := b.Sequence()
	for _, r := range rows {
		k := []byte(r.Bucket + "\x00" + r.Key)
		if old := b.Get(k); old != nil {
			if _, err := unseal(k, old); err != nil {
				return err
			}
			sum -= uint64(checksum(old))
		}
		if r.Value == nil {
			if err := b.Delete(k); err != nil {
				return err
			}
			continue
		}
		row := seal(k, r.Value)
		sum += uint64(checksum(row))
		if err := b.Put(k, row); err != nil {
			return err
		}
	}
	return b.SetSequence(sum)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// seal returns a copy of the value with its checksum.
func seal(key, value []byte) []byte {
	row := make([]byte, 0, len(value)+crc32.Size)
	row = append(row, value...)
	return binary.BigEndian.AppendUint32(row, crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, value))
}

// unseal returns the value in a row, which it shares.
func unseal(key, row []byte) ([]byte, error) {
	if len(row) < crc32.Size {
		return nil, damage("row %q has no checksum", key)
	}
	value := row[:len(row)-crc32.Size]
	if crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, value) != checksum(row) {
		return nil, damage("row %q was changed", key)
	}
	return value, nil
}

func checksum(row []byte) uint32 { return binary.BigEndian.Uint32(row[len(row)-crc32.Size:]) }
