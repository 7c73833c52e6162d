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
package transforms
