package s3

import (
	"errors"

	"sluice/pipeline"
)

// someRows reads the next rows of a bucket of the state, from a key on: those
// whose keys are wanted, most of them at most. Fewer are all there are.
func someRows(store pipeline.Store, bucket, from string, most int, wanted func(key string) bool) (rows []pipeline.Row, err error) {
	enough := errors.New("enough")
	err = store.Range(bucket, from, func(key string, value []byte) error {
		if !wanted(key) {
			return nil
		}
		rows = append(rows, pipeline.Row{Bucket: bucket, Key: key, Value: append([]byte{}, value...)})
		if len(rows) == most {
			return enough
		}
		return nil
	})
	if errors.Is(err, enough) {
		err = nil
	}
	return rows, err
}

// every wants all keys.
func every(string) bool { return true }
