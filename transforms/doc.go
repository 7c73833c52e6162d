// Package transforms holds the kinds of transforms: what they are to the
// configuration, and how they work.
//
// Gzip and Zstd compress. A block becomes one gzip member or zstd frame at
// once, in several workers; put together in order they are a valid file. A
// stream is compressed while it is read.
//
// Gunzip, Unzstd and Decompress expand, always while they are read and never in
// memory as a whole. They know where each member or frame begins, so a stage
// behind them can go on in the middle of a large object. They read their source
// to its end, compare its length, and take nothing for an end that is not one.
// What is damaged at the source for good is an error that wraps
// [pipeline.ErrGone]; what may have been cut on its way is not.
//
// Lines makes records of what they give.
//
// The others edit records (see [kind.Editor]), each of which has one of these
// shapes: an envelope, whose document is _source; a pair of a _bulk file, an
// action and behind it the document; or a document alone. All but JQ write what
// they do not name byte for byte as it was, and allocate nothing per record.
// Fields are named by paths, which mean what they mean to the engines (see
// fields). What an edit cannot read on its way to a field, or do to it without a
// guess, is a dead letter.
package transforms
