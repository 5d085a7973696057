package ageplugin

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
	"filippo.io/age/plugin"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/abe/policy"
)

// TestMain makes this test binary the plugin when the age tool runs it under the plugin's name.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "age-plugin-"+Name {
		p, err := New(world{})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		p.RegisterFlags(nil)
		os.Exit(p.Main())
	}
	os.Exit(m.Run())
}

// world is a wallet and a ledger made from fixed secrets.
type world struct{}

func (world) master(attribute string) (*abe.MasterKey, error) {
	a, err := policy.ParseAttribute(attribute)
	if err != nil {
		return nil, err
	}
	if a.Authority == "Unknown" {
		return nil, abe.ErrNoKey
	}
	return abe.NewMasterKey(a.Authority, bytes.NewReader([]byte(fmt.Sprintf("%-32s", a.Authority))))
}

func (w world) Public(attribute string) (*abe.PublicKey, error) {
	m, err := w.master(attribute)
	if err != nil {
		return nil, err
	}
	return m.PublicKey(attribute, 1)
}

func (w world) User(user string) ([]*abe.UserKey, error) {
	held := map[string][]string{
		"doctor@HospitalB": {"HospitalB:role=doctor", "HospitalA:visitor"},
		"nurse@HospitalC":  {"HospitalC:role=nurse"},
	}[user]
	if held == nil {
		return nil, errors.New("not in the wallet")
	}
	name, msp, _ := strings.Cut(user, "@")
	var out []*abe.UserKey
	for _, a := range held {
		m, err := w.master(a)
		if err != nil {
			return nil, err
		}
		k, err := m.Issue(msp+"/"+name, a, 1)
		if err != nil {
			return nil, err
		}
		out = append(out, k)
	}
	return out, nil
}

// tools are the age programs to test against: the one of the module that we build with, and Debian's where it is installed.
func tools(t *testing.T) map[string]string {
	t.Helper()
	built := filepath.Join(t.TempDir(), "age")
	if out, err := exec.Command("go", "build", "-o", built, "filippo.io/age/cmd/age").CombinedOutput(); err != nil {
		t.Fatalf("build age: %v\n%s", err, out)
	}
	found := map[string]string{"module": built}
	if path, err := exec.LookPath("age"); err == nil {
		found["installed"] = path
	}
	return found
}

func TestAgeTool(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the age tool")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	if err := os.Symlink(self, filepath.Join(bin, "age-plugin-"+Name)); err != nil {
		t.Fatal(err)
	}
	p, err := policy.Parse("HospitalA:role=doctor or HospitalB:role=doctor and HospitalA:visitor")
	if err != nil {
		t.Fatal(err)
	}
	patient, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	for name, tool := range tools(t) {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			run := func(in string, args ...string) (string, error) {
				cmd := exec.Command(tool, args...)
				cmd.Dir = dir
				cmd.Env = append(os.Environ(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"))
				cmd.Stdin = strings.NewReader(in)
				var out, talk bytes.Buffer
				cmd.Stdout, cmd.Stderr = &out, &talk
				if err := cmd.Run(); err != nil {
					return out.String(), fmt.Errorf("%w: %s", err, talk.String())
				}
				return out.String(), nil
			}
			write := func(file, user string) {
				text, err := Identity(user)
				if err == nil {
					err = os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			write("doctor.txt", "doctor@HospitalB")
			write("nurse.txt", "nurse@HospitalC")
			write("nobody.txt", "nobody@HospitalC")
			if err := os.WriteFile(filepath.Join(dir, "patient.txt"), []byte(patient.String()), 0o600); err != nil {
				t.Fatal(err)
			}

			sealed, err := run("a record", "-r", Recipient(p), "-r", patient.Recipient().String())
			if err != nil {
				t.Fatalf("seal: %v", err)
			}
			for _, who := range []string{"doctor.txt", "patient.txt"} {
				if got, err := run(sealed, "-d", "-i", who); err != nil || got != "a record" {
					t.Errorf("open with %s: %q, %v", who, got, err)
				}
			}
			for who, want := range map[string]string{"nurse.txt": "", "nobody.txt": "not in the wallet"} {
				if got, err := run(sealed, "-d", "-i", who); err == nil || got != "" || !strings.Contains(err.Error(), want) {
					t.Errorf("open with %s: %q, %v", who, got, err)
				}
			}
			// What the tool sealed our library opens, and the other way round.
			keys, err := world{}.User("doctor@HospitalB")
			if err != nil {
				t.Fatal(err)
			}
			id, err := abe.NewIdentity(keys)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := age.Decrypt(strings.NewReader(sealed), id); err != nil {
				t.Errorf("library opens what the tool sealed: %v", err)
			}
			r, err := abe.NewRecipient(p, world{}.Public)
			if err != nil {
				t.Fatal(err)
			}
			var ours bytes.Buffer
			w, err := age.Encrypt(&ours, r)
			if err != nil {
				t.Fatal(err)
			}
			w.Write([]byte("another"))
			w.Close()
			if got, err := run(ours.String(), "-d", "-i", "doctor.txt"); err != nil || got != "another" {
				t.Errorf("tool opens what the library sealed: %q, %v", got, err)
			}
			unknown, err := policy.Parse("Unknown:x")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := run("x", "-r", Recipient(unknown)); err == nil || !strings.Contains(err.Error(), "no public key") {
				t.Errorf("seal to an unpublished attribute: %v", err)
			}
			if _, err := run("x", "-r", plugin.EncodeRecipient(Name, []byte("A:x and"))); err == nil || !strings.Contains(err.Error(), "column 8") {
				t.Errorf("seal to a malformed policy: %v", err)
			}
		})
	}
}

// TestRoundTrip goes from the texts to a sealed and opened file without the age tool.
func TestRoundTrip(t *testing.T) {
	if _, err := New(world{}); err != nil {
		t.Fatal(err)
	}
	p, err := policy.Parse("HospitalB:role=doctor and HospitalA:visitor")
	if err != nil {
		t.Fatal(err)
	}
	name, data, err := plugin.ParseRecipient(Recipient(p))
	if err != nil || name != Name {
		t.Fatal(name, err)
	}
	r, err := recipient(world{}, data)
	if err != nil {
		t.Fatal(err)
	}
	text, err := Identity("doctor@HospitalB")
	if err != nil {
		t.Fatal(err)
	}
	_, data, err = plugin.ParseIdentity(strings.Split(text, "\n")[1])
	if err != nil {
		t.Fatal(err)
	}
	id, err := identity(world{}, data)
	if err != nil {
		t.Fatal(err)
	}
	fileKey := bytes.Repeat([]byte{7}, 16)
	stanzas, err := r.Wrap(fileKey)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := id.Unwrap(stanzas); err != nil || !bytes.Equal(got, fileKey) {
		t.Error(err)
	}
	for _, bad := range []string{"", "A:x and", "Unknown:x"} {
		if _, err := recipient(world{}, []byte(bad)); err == nil {
			t.Errorf("recipient for %q", bad)
		}
	}
	for _, bad := range []string{"", "a b", "nobody@HospitalC"} {
		if _, err := identity(world{}, []byte(bad)); err == nil {
			t.Errorf("identity for %q", bad)
		}
	}
}

func TestIdentityRefusesNames(t *testing.T) {
	for _, user := range []string{"", "a b", "a\nb", strings.Repeat("x", maxUser+1)} {
		if text, err := Identity(user); err == nil {
			t.Errorf("%q: %s", user, text)
		}
	}
}
