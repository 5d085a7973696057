package envelope

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"testing/iotest"

	"filippo.io/age"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

func seal(t testing.TB, plain []byte) (payload []byte, m *Metadata, commit string) {
	t.Helper()
	m = &Metadata{Key: bytes.Repeat([]byte{7}, KeySize), Salt: bytes.Repeat([]byte{9}, SaltSize)}
	s, err := NewSealer(bytes.NewReader(plain), m.Key, m.Salt)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Digest(); err == nil {
		t.Fatal("a digest before the end")
	}
	payload, err = io.ReadAll(s)
	if err != nil {
		t.Fatal(err)
	}
	d, err := s.Digest()
	if err != nil {
		t.Fatal(err)
	}
	m.Size, m.SHA256 = d.Size, d.SHA256[:]
	return payload, m, commitment(m.Salt, plain)
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

func TestPayloadRoundTrip(t *testing.T) {
	for _, size := range []int{0, 1, 4095, 4096, 4097, 65535, 65536, 65537, 1 << 20} {
		plain := randomBytes(size)
		payload, m, commit := seal(t, plain)
		var out bytes.Buffer
		if err := OpenPayload(&out, iotest.OneByteReader(bytes.NewReader(payload)), m, commit); err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		if !bytes.Equal(out.Bytes(), plain) {
			t.Fatalf("%d bytes came back different", size)
		}
	}
}

func TestPayloadTampered(t *testing.T) {
	plain := randomBytes(5000)
	payload, m, commit := seal(t, plain)
	open := func(p []byte, m *Metadata, commit string) error {
		return OpenPayload(io.Discard, bytes.NewReader(p), m, commit)
	}
	if err := open(payload, m, commit); err != nil {
		t.Fatal(err)
	}
	step := 1
	if testing.Short() {
		step = 7
	}
	for i := 0; i < len(payload); i += step {
		bad := bytes.Clone(payload)
		bad[i] ^= 0x80
		if err := open(bad, m, commit); !errors.Is(err, ledger.ErrTampered) {
			t.Fatalf("byte %d flipped: %v", i, err)
		}
	}
	for _, n := range []int{0, 1, 100, len(payload) - 17, len(payload) - 1} {
		if err := open(payload[:n], m, commit); !errors.Is(err, ledger.ErrTampered) {
			t.Errorf("cut to %d bytes: %v", n, err)
		}
	}
	other := *m
	other.Key = bytes.Repeat([]byte{8}, KeySize)
	if err := open(payload, &other, commit); !errors.Is(err, ledger.ErrTampered) || errors.Is(err, age.ErrIncorrectIdentity) {
		t.Errorf("another record's key: %v", err)
	}
	for _, size := range []int64{0, 4999, 5001, PaddedSize(5000), 1 << 40} {
		other := *m
		other.Size = size
		if err := open(payload, &other, commit); !errors.Is(err, ledger.ErrTampered) {
			t.Errorf("metadata says %d bytes: %v", size, err)
		}
	}
	other = *m
	other.SHA256 = make([]byte, 32)
	if err := open(payload, &other, commit); !errors.Is(err, ledger.ErrTampered) {
		t.Errorf("another digest: %v", err)
	}
	if err := open(payload, m, commitment(m.Salt, plain[1:])); !errors.Is(err, ledger.ErrTampered) {
		t.Errorf("another commitment: %v", err)
	}
}

// TestPayloadEnds cuts a payload of several chunks where a chunk ends, so that what is
// left looks whole, and puts more behind it.
func TestPayloadEnds(t *testing.T) {
	const chunk = 64<<10 + 16 // of age
	payload, m, commit := seal(t, randomBytes(200<<10))
	header := bytes.Index(payload, []byte("\n---"))
	header += 1 + bytes.IndexByte(payload[header+1:], '\n') + 1 + 16
	for end := header; end < len(payload); end += chunk {
		if err := OpenPayload(io.Discard, bytes.NewReader(payload[:end]), m, commit); !errors.Is(err, ledger.ErrTampered) {
			t.Errorf("cut to %d bytes: %v", end, err)
		}
	}
	last := header + (len(payload)-header)/chunk*chunk
	for name, more := range map[string][]byte{"a byte": {0}, "a chunk": payload[last:], "itself": payload} {
		if err := OpenPayload(io.Discard, bytes.NewReader(append(bytes.Clone(payload), more...)), m, commit); !errors.Is(err, ledger.ErrTampered) {
			t.Errorf("%s more: %v", name, err)
		}
	}
}

// TestPayloadPadding makes payloads as a holder of the record key could: with hidden data
// behind the record, and with more or less padding than there should be.
func TestPayloadPadding(t *testing.T) {
	plain := randomBytes(5000)
	_, m, commit := seal(t, plain)
	full := make([]byte, PaddedSize(5000))
	copy(full, plain)
	hidden := bytes.Clone(full)
	hidden[len(hidden)-1] = 1
	for name, text := range map[string][]byte{
		"hidden": hidden, "short": full[:len(full)-1], "long": append(bytes.Clone(full), 0), "none": plain,
	} {
		k, _ := newPayloadKey(m.Key)
		r, err := age.EncryptReader(bytes.NewReader(text), k)
		if err != nil {
			t.Fatal(err)
		}
		if err := OpenPayload(io.Discard, r, m, commit); !errors.Is(err, ledger.ErrTampered) {
			t.Errorf("%s padding: %v", name, err)
		}
	}
}

func TestPayloadForeignStanzas(t *testing.T) {
	_, m, commit := seal(t, nil)
	k, _ := newPayloadKey(m.Key)
	if _, err := age.EncryptReader(bytes.NewReader(nil), k, newIdentity(t).Recipient()); err == nil {
		t.Error("a payload took a second recipient")
	}
	if _, err := age.EncryptReader(bytes.NewReader(nil), k, k); err == nil {
		t.Error("a payload took the record key twice")
	}
	r, err := age.EncryptReader(bytes.NewReader(make([]byte, 4096)), newIdentity(t).Recipient())
	if err != nil {
		t.Fatal(err)
	}
	if err := OpenPayload(io.Discard, r, m, commit); !errors.Is(err, ledger.ErrTampered) {
		t.Errorf("an age file for somebody else: %v", err)
	}
}

// TestPayloadBlame tells a failing store or disk from a forged payload.
func TestPayloadBlame(t *testing.T) {
	payload, m, commit := seal(t, randomBytes(200000))
	for _, n := range []int{0, 10, 150, 100000} {
		src := io.MultiReader(bytes.NewReader(payload[:n]), iotest.ErrReader(ledger.ErrUnavailable))
		err := OpenPayload(io.Discard, src, m, commit)
		if !errors.Is(err, ledger.ErrUnavailable) || errors.Is(err, ledger.ErrTampered) {
			t.Errorf("store fails after %d bytes: %v", n, err)
		}
	}
	full := errors.New("no space left on device")
	err := OpenPayload(failingWriter{full}, bytes.NewReader(payload), m, commit)
	if !errors.Is(err, full) || errors.Is(err, ledger.ErrTampered) {
		t.Errorf("disk full: %v", err)
	}
	src := iotest.TimeoutReader(bytes.NewReader(randomBytes(300000)))
	s, err := NewSealer(src, m.Key, m.Salt)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(s); !errors.Is(err, iotest.ErrTimeout) {
		t.Errorf("sealing a source that fails: %v", err)
	}
	if _, err := s.Digest(); err == nil {
		t.Error("a digest of a source that failed")
	}
}

type failingWriter struct{ err error }

func (f failingWriter) Write([]byte) (int, error) { return 0, f.err }

// TestPayloadMemory seals and opens 256 MiB and watches the heap.
func TestPayloadMemory(t *testing.T) {
	const size = 256 << 20
	m := &Metadata{Key: make([]byte, KeySize), Salt: make([]byte, SaltSize), Size: size}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	s, err := NewSealer(io.LimitReader(zeros{}, size), m.Key, m.Salt)
	if err != nil {
		t.Fatal(err)
	}
	k, _ := newPayloadKey(m.Key)
	plain, err := age.Decrypt(s, k)
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(io.Discard, plain)
	runtime.ReadMemStats(&after)
	if err != nil || n != PaddedSize(size) {
		t.Fatalf("%d bytes, %v", n, err)
	}
	if used := int64(after.HeapSys) - int64(before.HeapSys); used > 32<<20 {
		t.Errorf("the heap grew by %d bytes for %d", used, size)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestPaddedSize(t *testing.T) {
	for _, c := range []struct{ n, want int64 }{
		{0, 4096}, {1, 4096}, {4096, 4096}, {4097, 4352}, {5000, 5120}, {1 << 20, 1 << 20}, {1<<20 + 1, 1<<20 + 1<<15},
		{1 << 30, 1 << 30}, {1<<63 - 1, 1<<63 - 1},
	} {
		if got := PaddedSize(c.n); got != c.want {
			t.Errorf("PaddedSize(%d) = %d, want %d", c.n, got, c.want)
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 100000 {
		n := r.Int64N(1<<40) + 4097
		p := PaddedSize(n)
		if p < n || float64(p-n) > 0.125*float64(n) || PaddedSize(p) != p {
			t.Fatalf("PaddedSize(%d) = %d", n, p)
		}
	}
}

var update = flag.Bool("update", false, "write the vectors anew; only for a new format, old ones must stay")

// TestVectors opens files that earlier builds sealed. They must stay readable for ever.
func TestVectors(t *testing.T) {
	if *update {
		writeVectors(t, filepath.Join("testdata", "v2"), []byte(vectorRecord))
	}
	for format, facts := range map[string]string{"v1": "", "v2": vectorFacts} {
		t.Run(format, func(t *testing.T) { testVectors(t, filepath.Join("testdata", format), facts) })
	}
}

const (
	vectorRecord = "{\"resourceType\":\"Patient\"}\n"
	vectorFacts  = `{"Kind":"fhir:Patient","Codes":[{"System":"http://loinc.org","Code":"10839-9"}],"Keywords":["troponin","I21.4"]}`
)

func testVectors(t *testing.T, dir, facts string) {
	read := func(name string) []byte {
		t.Helper()
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	ids, err := age.ParseIdentities(bytes.NewReader(read("identity.txt")))
	if err != nil {
		t.Fatal(err)
	}
	m, err := Open(read("envelope.age"), testVersion(), ids...)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := OpenPayload(&out, bytes.NewReader(read("payload.age")), m, string(read("commitment.txt"))); err != nil {
		t.Fatal(err)
	}
	if out.String() != vectorRecord || m.Name != "Jane's ECG.json" || string(m.Facts) != facts {
		t.Errorf("got %q named %q with facts %s", out.Bytes(), m.Name, m.Facts)
	}
	k, err := OpenScopeKey(read("scope-key.age"), "consortium", 3, ids...)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(k.Key, bytes.Repeat([]byte{5}, KeySize)) {
		t.Errorf("scope key %x", k.Key)
	}
	for name, file := range map[string]string{"flipped": "bad-flipped.age", "two stanzas": "bad-two-stanzas.age"} {
		if err := OpenPayload(io.Discard, bytes.NewReader(read(file)), m, string(read("commitment.txt"))); !errors.Is(err, ledger.ErrTampered) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func writeVectors(t *testing.T, dir string, plain []byte) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	id := newIdentity(t)
	payload, sealed, commit := seal(t, plain)
	m := testMetadata()
	m.Facts = []byte(vectorFacts)
	m.Key, m.Salt, m.Size, m.SHA256 = sealed.Key, sealed.Salt, sealed.Size, sealed.SHA256
	recipients, err := Recipients(id.Recipient().String(), newIdentity(t).Recipient().String())
	if err != nil {
		t.Fatal(err)
	}
	env, err := m.Seal(recipients...)
	if err != nil {
		t.Fatal(err)
	}
	scope, err := ScopeKey{Scope: "consortium", Epoch: 3, Key: bytes.Repeat([]byte{5}, KeySize), Policy: "HospitalA:role=doctor",
		Author: "HospitalA/custodian", Created: m.Sealed}.Seal(recipients...)
	if err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Clone(payload)
	flipped[len(flipped)-1] ^= 1
	k, _ := newPayloadKey(m.Key)
	two, err := age.EncryptReader(bytes.NewReader(plain), unlabelled{k}, unlabelled{k})
	if err != nil {
		t.Fatal(err)
	}
	twoStanzas, err := io.ReadAll(two)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"identity.txt": []byte(id.String() + "\n"), "payload.age": payload, "envelope.age": env, "scope-key.age": scope,
		"commitment.txt": []byte(commit), "bad-flipped.age": flipped, "bad-two-stanzas.age": twoStanzas,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// FuzzOpenPayload starts from the frozen payload: one sealed here would be another one in
// each of the fuzzer's processes.
func FuzzOpenPayload(f *testing.F) {
	read := func(name string) []byte {
		data, err := os.ReadFile(filepath.Join("testdata", "v1", name))
		if err != nil {
			f.Fatal(err)
		}
		return data
	}
	ids, err := age.ParseIdentities(bytes.NewReader(read("identity.txt")))
	if err != nil {
		f.Fatal(err)
	}
	m, err := Open(read("envelope.age"), testVersion(), ids...)
	if err != nil {
		f.Fatal(err)
	}
	payload, commit := read("payload.age"), string(read("commitment.txt"))
	f.Add(payload)
	f.Add(payload[:200])
	f.Fuzz(func(t *testing.T, data []byte) {
		err := OpenPayload(io.Discard, bytes.NewReader(data), m, commit)
		if err == nil != bytes.Equal(data, payload) {
			t.Errorf("a payload other than the one sealed: %v", err)
		}
	})
}

func BenchmarkSealPayload(b *testing.B) {
	const size = 64 << 20
	b.SetBytes(size)
	for b.Loop() {
		s, err := NewSealer(io.LimitReader(zeros{}, size), make([]byte, KeySize), make([]byte, SaltSize))
		if err != nil {
			b.Fatal(err)
		}
		n, err := io.Copy(io.Discard, s)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(n-size), "overhead-bytes")
	}
}
