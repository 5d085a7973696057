package abe

import (
	"fmt"
	"strings"
	"testing"
)

// BenchmarkWrap seals a file key to policies that require all of their attributes.
func BenchmarkWrap(b *testing.B) { bySize(b, benchmarkWrap) }

// BenchmarkShared seals a hundred file keys with one encapsulation.
func BenchmarkShared(b *testing.B) {
	bySize(b, func(b *testing.B, w *world, names []string) {
		const n = 100
		recipient, fileKey := w.recipient(strings.Join(names, " and ")), make([]byte, fileKeySize)
		for b.Loop() {
			g := recipient.Shared()
			for range n {
				if _, err := g.Wrap(fileKey); err != nil {
					b.Fatal(err)
				}
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/file")
	})
}

// BenchmarkUnwrap opens the same policies with all attributes.
func BenchmarkUnwrap(b *testing.B) { bySize(b, benchmarkUnwrap) }

func bySize(b *testing.B, run func(b *testing.B, w *world, names []string)) {
	for _, n := range []int{1, 10, 50} {
		var names []string
		for i := range n {
			names = append(names, fmt.Sprintf("A:a%d", i))
		}
		b.Run(fmt.Sprintf("attributes=%d", n), func(b *testing.B) { run(b, newWorld(b, "A"), names) })
	}
}

func benchmarkWrap(b *testing.B, w *world, names []string) {
	recipient, fileKey, size := w.recipient(strings.Join(names, " and ")), make([]byte, fileKeySize), 0
	for b.Loop() {
		stanzas, err := recipient.Wrap(fileKey)
		if err != nil {
			b.Fatal(err)
		}
		size = 0
		for _, s := range stanzas {
			size += len(s.Body)
		}
	}
	b.ReportMetric(float64(size), "ciphertext-B")
}

func benchmarkUnwrap(b *testing.B, w *world, names []string) {
	_, stanzas := w.stanzas(strings.Join(names, " and "))
	identity := w.identity(w.issue("A/doctor", names...))
	for b.Loop() {
		if _, err := identity.Unwrap(stanzas); err != nil {
			b.Fatal(err)
		}
	}
}
