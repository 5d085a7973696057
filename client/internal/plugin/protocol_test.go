package plugin

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"testing"

	"filippo.io/age"
	"filippo.io/age/plugin"

	"github.com/chartseal/chartseal/client/envelope"
)

// A stanza is one message of the plugin protocol.
type stanza struct {
	words []string // type and arguments
	body  []byte
}

var b64 = base64.RawStdEncoding.Strict()

func (s stanza) String() string {
	text := b64.EncodeToString(s.body)
	var b strings.Builder
	fmt.Fprintf(&b, "-> %s\n", strings.Join(s.words, " "))
	for len(text) >= 64 {
		fmt.Fprintf(&b, "%s\n", text[:64])
		text = text[64:]
	}
	fmt.Fprintf(&b, "%s\n", text)
	return b.String()
}

func readStanza(r *bufio.Reader) (stanza, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return stanza{}, err
	}
	s := stanza{words: strings.Fields(strings.TrimPrefix(line, "->"))}
	var body strings.Builder
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return stanza{}, err
		}
		line = strings.TrimSuffix(line, "\n")
		body.WriteString(line)
		if len(line) < 64 {
			break
		}
	}
	s.body, err = b64.DecodeString(body.String())
	return s, err
}

// converse plays age's side of the protocol as the specification has it: it sends all of
// say and "done", and then answers what comes. It returns what came but for grease, and
// the exit code.
func converse(t *testing.T, p *program, machine string, say ...stanza) ([]stanza, int) {
	t.Helper()
	toPlugin, in := io.Pipe()
	out, fromPlugin := io.Pipe()
	var talk bytes.Buffer
	p.stdin, p.stdout, p.stderr = toPlugin, fromPlugin, &talk
	exit := make(chan int, 1)
	go func() {
		code := p.main([]string{"--age-plugin=" + machine})
		fromPlugin.Close()
		toPlugin.Close()
		exit <- code
	}()
	for _, s := range append(say, stanza{words: []string{"done"}}) {
		if _, err := io.WriteString(in, s.String()); err != nil {
			t.Fatalf("send %s: %v; %s", s.words, err, &talk)
		}
	}
	var got []stanza
	for r := bufio.NewReader(out); ; {
		s, err := readStanza(r)
		if err == io.EOF {
			break
		}
		must(t, err)
		answer := "ok"
		switch s.words[0] {
		case "msg", "error", "file-key", "recipient-stanza", "labels":
			got = append(got, s)
		case "done":
			continue
		default:
			answer = "unsupported"
		}
		io.WriteString(in, stanza{words: []string{answer}}.String())
	}
	if talk.Len() > 0 {
		t.Errorf("the plugin wrote to stderr, where age shows nothing: %s", &talk)
	}
	return got, <-exit
}

var fileKey = []byte("sixteen byte key")

// sealed gives the stanzas of a recipient as the plugin makes them.
func sealed(t *testing.T, p *program, recipient string) []stanza {
	t.Helper()
	got, exit := converse(t, p, "recipient-v1", stanza{words: []string{"add-recipient", recipient}}, stanza{words: []string{"wrap-file-key"}, body: fileKey})
	if exit != 0 || len(got) == 0 {
		t.Fatalf("seal: exit %d, %s", exit, got)
	}
	for _, s := range got {
		if s.words[0] != "recipient-stanza" || s.words[1] != "0" || s.words[2] != "chartseal-lw11-bn256" {
			t.Fatalf("seal: got %s", s)
		}
	}
	return got
}

func open(t *testing.T, p *program, identity string, stanzas ...stanza) ([]stanza, int) {
	t.Helper()
	return converse(t, p, "identity-v1", append([]stanza{{words: []string{"add-identity", identity}}}, stanzas...)...)
}

func recipientOf(t *testing.T, p *program, args ...string) string {
	t.Helper()
	out, talk, exit := p.run(append([]string{"--recipient"}, args...)...)
	if exit != 0 {
		t.Fatalf("--recipient %q: %s", args, talk)
	}
	return strings.TrimSpace(out)
}

// TestProtocol seals and opens over the protocol, several times because its grease is
// random.
func TestProtocol(t *testing.T) {
	w := newWorld(t)
	to := recipientOf(t, w.program(""), "HospitalA:role=doctor or HospitalC:role=nurse")
	for range 10 {
		stanzas := sealed(t, w.program("doctor@HospitalB"), to)
		for _, user := range []string{"doctor@HospitalA", "nurse@HospitalC"} {
			got, exit := open(t, w.program(""), identityRef{user: user}.String(), stanzas...)
			if exit != 0 || len(got) != 1 || got[0].words[0] != "file-key" || !bytes.Equal(got[0].body, fileKey) {
				t.Fatalf("%s: exit %d, %s", user, exit, got)
			}
		}
		got, exit := open(t, w.program(""), identityRef{user: "doctor@HospitalB"}.String(), stanzas...)
		want := "doctor@HospitalB cannot open this: policy not satisfied: needs HospitalA:role=doctor; or HospitalC:role=nurse"
		if exit != 0 || len(got) != 1 || got[0].words[0] != "msg" || string(got[0].body) != want {
			t.Fatalf("who does not satisfy it: exit %d, %s %s", exit, got, got[0].body)
		}
	}
}

// TestProtocolSeveral gives several identities to one process, as other implementations
// of age do: one is enough.
func TestProtocolSeveral(t *testing.T) {
	w := newWorld(t)
	stanzas := sealed(t, w.program("clerk@HospitalA"), recipientOf(t, w.program(""), "HospitalA:role=doctor"))
	got, _ := converse(t, w.program(""), "identity-v1", append([]stanza{
		{words: []string{"add-identity", identityRef{user: "nurse@HospitalC"}.String()}},
		{words: []string{"add-identity", identityRef{user: "doctor@HospitalA"}.String()}},
	}, stanzas...)...)
	if len(got) != 2 || got[0].words[0] != "msg" || got[1].words[0] != "file-key" || !bytes.Equal(got[1].body, fileKey) {
		t.Errorf("got %s", got)
	}
}

// TestProtocolWithoutData is "age -j chartseal": whoever the settings name.
func TestProtocolWithoutData(t *testing.T) {
	w := newWorld(t)
	stanzas := sealed(t, w.program("clerk@HospitalA"), recipientOf(t, w.program(""), "HospitalA:role=doctor"))
	got, _ := open(t, w.program("doctor@HospitalA"), plugin.EncodeIdentity(name, nil), stanzas...)
	if len(got) != 1 || !bytes.Equal(got[0].body, fileKey) {
		t.Errorf("got %s", got)
	}
	got, _ = open(t, w.program("clerk@HospitalA"), plugin.EncodeIdentity(name, nil), stanzas...)
	if len(got) != 1 || got[0].words[0] != "msg" || !strings.HasSuffix(string(got[0].body), "chartseal --user clerk@HospitalA keys request") {
		t.Errorf("who has no keys: %s", got)
	}
}

// TestProtocolErrors requires one clean line that says what is wrong.
func TestProtocolErrors(t *testing.T) {
	w := newWorld(t)
	to := recipientOf(t, w.program(""), "HospitalA:role=doctor")
	stanzas := sealed(t, w.program("clerk@HospitalA"), to)
	broken := stanza{words: stanzas[0].words, body: bytes.Clone(stanzas[0].body)}
	broken.body[len(broken.body)-1] ^= 1
	cut := stanza{words: stanzas[0].words, body: stanzas[0].body[:100]}
	doctor := identityRef{user: "doctor@HospitalA"}.String()
	for what, c := range map[string]struct {
		as, identity, recipient string
		stanza                  stanza
		want                    string
	}{
		"near attribute":    {as: "doctor@HospitalA", recipient: recipientOf(t, w.program(""), "HospitalA:role=docter"), want: "no authority has published HospitalA:role=docter (did you mean HospitalA:role=doctor?)"},
		"near user":         {identity: identityRef{user: "docter@HospitalA"}.String(), stanza: stanzas[0], want: "did you mean doctor@HospitalA? The user is named by the identity"},
		"sealed by nobody":  {recipient: to, want: "who are you? no user is named; name yourself with CHARTSEAL_USER: clerk@HospitalA"},
		"tampered":          {identity: doctor, stanza: broken, want: "open as doctor@HospitalA: tampered"},
		"malformed":         {identity: doctor, stanza: cut, want: "open as doctor@HospitalA: malformed"},
		"later recipient":   {recipient: plugin.EncodeRecipient(name, []byte("\x09")), want: "kind 9 is not known to this version"},
		"later identity":    {identity: plugin.EncodeIdentity(name, []byte("\x09")), stanza: stanzas[0], want: "kind 9 is not known to this version"},
		"hostile recipient": {recipient: plugin.EncodeRecipient(name, []byte("\x01a:b\n\x1b[2J")), want: "recipient: policy: line 2, column 1"},
	} {
		var got []stanza
		if c.recipient != "" {
			got, _ = converse(t, w.program(c.as), "recipient-v1", stanza{words: []string{"add-recipient", c.recipient}}, stanza{words: []string{"wrap-file-key"}, body: fileKey})
		} else {
			got, _ = open(t, w.program(c.as), c.identity, c.stanza)
		}
		if len(got) != 1 || got[0].words[0] != "error" || !strings.Contains(string(got[0].body), c.want) || strings.ContainsAny(string(got[0].body), "\n\x1b") {
			t.Errorf("%s: got %s %q", what, got, got[0].body)
		}
	}
	got, _ := converse(t, w.program(""), "recipient-v1", stanza{words: []string{"add-identity", doctor}}, stanza{words: []string{"wrap-file-key"}, body: fileKey})
	if len(got) != 1 || !strings.Contains(string(got[0].body), "nothing can be sealed to a chartseal identity") {
		t.Errorf("an identity as recipient: %s", got)
	}
}

// TestBystander: identities that have nothing to do with a file do not fail it, even when
// there is no wallet.
func TestBystander(t *testing.T) {
	nowhere := &program{getenv: func(string) string { return "" }}
	foreign := stanza{words: []string{"recipient-stanza", "0", "X25519", "AAAA"}, body: make([]byte, 32)}
	for _, id := range []identityRef{{}, {user: "doctor@HospitalA"}, {recordKey: make([]byte, 32)}} {
		if got, exit := open(t, nowhere, id.String(), foreign); exit != 0 || len(got) != 0 {
			t.Errorf("%+v: exit %d, %s", id.user, exit, got)
		}
	}
}

// TestRecordKey opens a payload's stanza, and nothing else.
func TestRecordKey(t *testing.T) {
	key := bytes.Repeat([]byte{7}, envelope.KeySize)
	sealer, err := envelope.NewSealer(strings.NewReader("a record"), key, make([]byte, envelope.SaltSize))
	must(t, err)
	payload, err := io.ReadAll(sealer)
	must(t, err)
	header, err := age.ExtractHeader(bytes.NewReader(payload))
	must(t, err)
	r := bufio.NewReader(bytes.NewReader(header))
	r.ReadString('\n')
	s, err := readStanza(r)
	must(t, err)
	s.words = append([]string{"recipient-stanza", "0"}, s.words...)

	nowhere := func() *program { return &program{getenv: func(string) string { return "" }} }
	got, _ := open(t, nowhere(), identityRef{recordKey: key}.String(), s)
	if len(got) != 1 || got[0].words[0] != "file-key" || len(got[0].body) != 16 {
		t.Fatalf("got %s", got)
	}
	got, _ = open(t, nowhere(), identityRef{recordKey: bytes.Repeat([]byte{8}, 32)}.String(), s)
	if len(got) != 1 || got[0].words[0] != "msg" || !strings.Contains(string(got[0].body), "different records") {
		t.Errorf("another key: %s", got)
	}
	got, _ = open(t, nowhere(), identityRef{recordKey: key}.String(), s, s)
	if len(got) != 1 || got[0].words[0] != "error" {
		t.Errorf("a payload with two stanzas: %s", got)
	}
}
