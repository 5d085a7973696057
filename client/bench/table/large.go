package table

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"filippo.io/age"

	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/bench"
	"github.com/chartseal/chartseal/client/bench/stage"
	"github.com/chartseal/chartseal/client/envelope"
)

// noise returns n incompressible bytes that no node has yet. The same seed gives the same
// bytes.
func noise(n int64, seed uint64) io.Reader {
	var key [32]byte
	for i := range 8 {
		key[i] = byte(seed >> (8 * i))
	}
	return io.LimitReader(rand.NewChaCha8(key), n)
}

func source(n int64, seed uint64) client.Source {
	return client.Source{Name: "scan.bin", Size: n, Open: func() (io.ReadCloser, error) { return io.NopCloser(noise(n, seed)), nil }}
}

func mebibytes(n int64, t bench.Times) float64 { return float64(n) / (1 << 20) / t.Median().Seconds() }

func (r *run) rates(name string, n int64, times []bench.Times, used []bench.Account, target bench.Target, note string) {
	row := bench.Compare(name, "MiB/s", mebibytes(n, times[0]), mebibytes(n, times[1]), target)
	row.Spread, row.N, row.Note = times[0].Spread(), len(times[0]), note
	if used != nil {
		row.Costs(used[0], 1, used[1], 1)
	}
	r.report.Add(row)
}

// large measures records of one gigabyte, and smaller ones in a quick run.
func (r *run) large(ctx context.Context) error {
	size, rounds := of[int64](r, 1<<30, 512<<20), of(r, 3, 2)
	what := fmt.Sprintf("%d MiB", size>>20)
	c, err := r.a.Client()
	if err != nil {
		return err
	}
	seed := uint64(time.Now().UnixNano())
	var last client.Sealed
	var cid string
	var used []string
	times, costs, err := bench.AlternateUsing(ctx, rounds, r.Usage, func(ctx context.Context) error {
		seed++
		sealed, err := c.Seal(ctx, client.SealRequest{Sources: []client.Source{source(size, seed)}, Policy: policyText})
		if err == nil {
			last = sealed[0]
			used = append(used, last.CID)
		}
		return err
	}, func(ctx context.Context) (err error) {
		seed++
		cid, err = r.a.Kubo.Add(ctx, noise(size, seed))
		used = append(used, cid)
		return err
	})
	if err != nil {
		return err
	}
	r.rates("seal of "+what, size, times, costs, bench.AtLeast(0.7), "bare: kubo add of as many bytes; both draw them from ChaCha8")

	file := filepath.Join(r.a.Dir, "opened")
	toFile := func(write func(io.Writer) error) error {
		f, err := os.Create(file)
		if err != nil {
			return err
		}
		return errors.Join(write(f), f.Close(), os.Remove(file))
	}
	openAs := func(p *stage.Person) func(context.Context) error {
		return func(ctx context.Context) error {
			c, err := p.Client()
			if err != nil {
				return err
			}
			return toFile(func(w io.Writer) error {
				_, err := c.Open(ctx, last.ID, w, client.OpenRequest{})
				return err
			})
		}
	}
	catFrom := func(p *stage.Person) func(context.Context) error {
		return func(ctx context.Context) error {
			return toFile(func(w io.Writer) error { return p.Kubo.Cat(ctx, last.CID, w) })
		}
	}
	if _, err := r.Rest(ctx, 3*time.Minute); err != nil {
		return err
	}
	if times, costs, err = bench.AlternateUsing(ctx, rounds, r.Usage, openAs(r.a), catFrom(r.a)); err != nil {
		return err
	}
	r.rates("open of "+what+", own node", size, times, costs, bench.AtLeast(0.7), "to a file; bare: kubo cat of the same payload to a file")
	if err := r.ranges(ctx, c, last, times[0]); err != nil {
		return err
	}

	remote, costs, err := r.remote(ctx, last.CID, openAs(r.b), catFrom(r.b))
	if err != nil {
		return err
	}
	r.rates("open of "+what+", another hospital's node", size, remote, costs, bench.AtLeast(0.9), "own node evicted before each; bare: kubo cat, the same way")
	return r.inMemory(ctx)
}

// remote measures sides that read through the other hospital. Before each run that
// hospital's node loses the payload, so that the payload comes from the first hospital.
func (r *run) remote(ctx context.Context, cid string, sides ...func(context.Context) error) ([]bench.Times, []bench.Account, error) {
	times, accounts := make([]bench.Times, len(sides)), make([]bench.Account, len(sides))
	for range of(r, 3, 2) {
		for i, side := range sides {
			if err := r.b.Kubo.Evict(ctx, cid, 30*time.Second); err != nil {
				return nil, nil, err
			}
			took, err := accounts[i].Do(ctx, r.Usage, side)
			if err != nil {
				return nil, nil, err
			}
			times[i] = append(times[i], took)
		}
	}
	return times, accounts, nil
}

// ranges compares the opening of a small range with that of the whole record.
func (r *run) ranges(ctx context.Context, c *client.Client, s client.Sealed, whole bench.Times) error {
	if _, err := c.OpenRange(ctx, s.ID, io.Discard, 0, 1, client.OpenRequest{}); err != nil { // this commits the access entry
		return err
	}
	at := int64(0)
	times, err := bench.Alternate(ctx, 20, func(ctx context.Context) error {
		at = (at + s.Size/7) % (s.Size - 4096)
		_, err := c.OpenRange(ctx, s.ID, io.Discard, at, 4096, client.OpenRequest{})
		return err
	})
	if err != nil {
		return err
	}
	row := bench.CompareTimes("4 KiB at an offset, against the whole open", 0.5, times[0], whole, bench.AtMost(0.02))
	row.Note = "with an access entry that is there; bare: the row of the own node"
	r.report.Add(row)
	return nil
}

// inMemory compares the encryption of payloads with age alone.
func (r *run) inMemory(ctx context.Context) error {
	const size = 128 << 20
	id, err := age.GenerateX25519Identity()
	if err != nil {
		return err
	}
	record := make([]byte, size)
	times, err := bench.Alternate(ctx, 5, func(context.Context) error {
		s, err := envelope.NewSealer(bytes.NewReader(record), make([]byte, envelope.KeySize), make([]byte, envelope.SaltSize))
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, s)
		return err
	}, func(context.Context) error {
		w, err := age.Encrypt(io.Discard, id.Recipient())
		if err != nil {
			return err
		}
		_, err = w.Write(record)
		return errors.Join(err, w.Close())
	})
	if err != nil {
		return err
	}
	r.rates("encrypt a payload in memory", size, times, nil, bench.Target{}, "ours also computes two SHA-256 and pads; bare: age")
	return nil
}

// programMemory runs the chartseal program and measures its peak memory.
func (r *run) programMemory(ctx context.Context) error {
	size := of[int64](r, 1<<30, 256<<20)
	in, out := filepath.Join(r.a.Dir, "in"), filepath.Join(r.a.Dir, "out")
	defer os.Remove(in)
	f, err := os.Create(in)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, noise(size, uint64(time.Now().UnixNano())))
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	text, sealPeak, err := r.program(ctx, "seal", in, "--policy", policyText, "--json")
	if err != nil {
		return err
	}
	_, rest, _ := strings.Cut(text, `"record": "`)
	id, _, _ := strings.Cut(rest, `"`)
	_, openPeak, err := r.program(ctx, "open", id, "-o", out)
	if err := errors.Join(err, os.Remove(out)); err != nil {
		return err
	}
	for _, p := range []struct {
		name string
		peak int64
	}{{"seal", sealPeak}, {"open", openPeak}} {
		row := bench.Just(fmt.Sprintf("memory of the program, %s of %d MiB", p.name, size>>20), "MiB", float64(p.peak)/(1<<20))
		row.Require(row.Ours < 150, "below 150 MiB")
		r.report.Add(row)
	}
	return nil
}

func (r *run) program(ctx context.Context, args ...string) (stdout string, peak int64, err error) {
	cmd := exec.CommandContext(ctx, filepath.Join(r.Bin, "chartseal"), append([]string{"--wallet", r.Wallet(), "--user", "doctor@HospitalA"}, args...)...)
	var out, talk bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &talk
	if err := cmd.Start(); err != nil {
		return "", 0, err
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	for {
		select {
		case err := <-done:
			if err != nil {
				err = fmt.Errorf("chartseal %s: %w: %s", args[0], err, talk.String())
			}
			return out.String(), peak, err
		case <-time.After(20 * time.Millisecond):
			// The maximum in rusage would be wrong: it includes the memory that the child
			// shared with this process before it executed the program.
			peak = max(peak, stage.Memory(cmd.Process.Pid, "VmHWM"))
		}
	}
}
