package main

import (
	"context"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// delayed serves what is at addr at another port, where each request takes so
// much longer, while f runs; f gets the address. It knows nothing of requests:
// the first bytes after an answer are one, and wait.
func delayed(addr string, by time.Duration, f func(addr string) error) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	var g errgroup.Group
	g.Go(func() error {
		for {
			client, err := l.Accept()
			if err != nil {
				return err
			}
			g.Go(func() error { return relay(ctx, client, addr, by) })
		}
	})
	err = f(l.Addr().String())
	cancel()
	l.Close()
	if relayed := g.Wait(); !errors.Is(relayed, net.ErrClosed) {
		err = errors.Join(err, relayed)
	}
	return err
}

// relay joins a client's connection with one to addr until either ends.
func relay(ctx context.Context, client net.Conn, addr string, by time.Duration) error {
	server, err := net.Dial("tcp", addr)
	if err != nil {
		client.Close()
		return err
	}
	end := func() { client.Close(); server.Close() }
	defer context.AfterFunc(ctx, end)()
	var answered atomic.Bool // since the last request
	answered.Store(true)
	var g errgroup.Group
	g.Go(func() error {
		defer end()
		pass(server, client, func() {
			if answered.Swap(false) {
				time.Sleep(by)
			}
		})
		return nil
	})
	g.Go(func() error {
		defer end()
		pass(client, server, func() { answered.Store(true) })
		return nil
	})
	return g.Wait()
}

// pass copies until either end is closed, and calls f before each write.
func pass(dst io.Writer, src io.Reader, f func()) {
	buf := make([]byte, 64<<10)
	for {
		n, err := src.Read(buf)
		if n > 0 {
			f()
			if _, err := dst.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
