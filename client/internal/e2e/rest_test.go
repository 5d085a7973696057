package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/opt"
)

// TestNothingDecryptableAtRest plays a curious administrator with a copy of a peer's
// disk. The block files and the state of every peer contain no keyword, patient, file
// name, plaintext or wrapped key. The private data of the regulator's peer contains no
// wrapped key either.
func TestNothingDecryptableAtRest(t *testing.T) {
	const (
		word    = "Quetzalcoatlus-keyword"
		patient = "patient-Zyzzyva-4711"
		name    = "Xylophone-Referral.txt"
		text    = "the Vibrissae of this patient are remarkable"
	)
	path, neighbour := write(t, name, []byte(text)), write(t, "neighbour.txt", []byte(text))
	rows := seal(t, doctorA, path, neighbour, "--policy", twoDoctors, "--keyword", word, "--patient", patient)
	opens(t, doctorB, rows[0].Record, []byte(text))
	level(t)

	secrets := map[string][]byte{
		"keyword":            []byte(word),
		"normalised keyword": []byte(strings.ToLower(word)),
		"patient":            []byte(patient),
		"normalised patient": []byte(strings.ToLower(patient)),
		"file name":          []byte(name),
		"plaintext":          []byte("Vibrissae"),
	}
	// The first begins every wrapped key. The second begins the custodian's stanza, which
	// stays in a wrapped key that is stored without its shared beginning.
	wrapped := []string{"age-encryption.org/v1", "\n-> X25519 "}
	for _, o := range consortium.Topology().Organisations() {
		dir := filepath.Join(consortium.LedgerDirectory(o.Name), "ledgersData")
		blocks := readAll(t, filepath.Join(dir, "chains"))
		state := readLevelDB(t, filepath.Join(dir, "stateLeveldb"))
		if !bytes.Contains(blocks, []byte(rows[0].Record)) || !bytes.Contains(state, []byte(rows[0].Record)) {
			t.Fatalf("%s: the record itself is not in what was read: the test looks in the wrong place", o.Name)
		}
		for what, secret := range secrets {
			for form, b := range forms(secret) {
				if bytes.Contains(blocks, b) {
					t.Errorf("%s: the block files hold the %s (%s)", o.Name, what, form)
				}
				if bytes.Contains(state, b) {
					t.Errorf("%s: the state holds the %s (%s)", o.Name, what, form)
				}
			}
		}
		everything := [][]byte{blocks}
		if o.Name == "Regulator" {
			everything = append(everything, state, readAll(t, filepath.Join(dir, "pvtdataStore")),
				readLevelDB(t, filepath.Join(dir, "pvtdataStore")))
		}
		for _, mark := range wrapped {
			if o.Name != "Regulator" && !bytes.Contains(state, []byte(mark)) {
				t.Errorf("%s: no %q in the private state of a hospital: the test looks in the wrong place", o.Name, mark)
			}
			for form, b := range forms([]byte(mark)) {
				for _, where := range everything {
					if bytes.Contains(where, b) {
						t.Errorf("%s: a wrapped key is where none may be (%s)", o.Name, form)
					}
				}
			}
		}
	}
	for _, hospital := range []string{"HospitalA", "HospitalB", "HospitalC"} {
		stored := readAll(t, filepath.Join(consortium.IPFSDirectory(hospital), "blocks"))
		for what, secret := range secrets {
			if bytes.Contains(stored, secret) {
				t.Errorf("%s: the IPFS node holds the %s", hospital, what)
			}
		}
	}
}

// forms returns the encodings of a secret that may appear in a file: raw, hexadecimal,
// and base64 at each of the three alignments in a longer text.
func forms(secret []byte) map[string][]byte {
	f := map[string][]byte{"plain": secret, "hex": []byte(hex.EncodeToString(secret))}
	for shift := range 3 {
		padded := append(make([]byte, shift), secret...)
		padded = padded[:len(padded)/3*3]
		encoded := base64.RawStdEncoding.EncodeToString(padded)
		if shift > 0 {
			encoded = encoded[4:] // the first group also encodes the bytes before the secret
		}
		f[fmt.Sprintf("base64 at offset %d", shift)] = []byte(encoded)
	}
	return f
}

// readAll concatenates all files below dir.
func readAll(t *testing.T, dir string) []byte {
	t.Helper()
	var all []byte
	undisturbed(t, func() error {
		all = nil
		return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			b, err := os.ReadFile(path)
			all = append(all, b...)
			return err
		})
	})
	return all
}

// undisturbed reads the files of a running server. It starts again if the server has
// merged a file into another before the file was read.
func undisturbed(t *testing.T, look func() error) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		err := look()
		if err == nil {
			return
		}
		if !errors.Is(err, fs.ErrNotExist) || time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// readLevelDB concatenates all keys and values of a database. It reads a copy, because a
// peer may have the database open. Its files may be compressed, so a search for text in
// the files would prove nothing.
func readLevelDB(t *testing.T, dir string) []byte {
	t.Helper()
	var copied string
	undisturbed(t, func() error {
		copied = filepath.Join(t.TempDir(), "leveldb")
		return os.CopyFS(copied, os.DirFS(dir))
	})
	db, err := leveldb.RecoverFile(copied, &opt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var all []byte
	it := db.NewIterator(nil, nil)
	defer it.Release()
	for it.Next() {
		all = append(append(all, it.Key()...), it.Value()...)
	}
	if err := it.Error(); err != nil {
		t.Fatal(err)
	}
	return all
}
