package contract

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

func label(n int) []byte { return binary.BigEndian.AppendUint64(make([]byte, 8), uint64(n)) }

func entryValue(n int) []byte { return bytes.Repeat([]byte{byte(n)}, ledger.EntryValueSize) }

func pack(labels ...int) string {
	var all []byte
	for _, n := range labels {
		all = append(append(all, label(n)...), entryValue(n)...)
	}
	return base64.StdEncoding.EncodeToString(all)
}

func labelBatch(msp string, labels ...int) ledger.LabelBatch {
	var all []byte
	for _, n := range labels {
		all = append(all, label(n)...)
	}
	return ledger.LabelBatch{MSP: msp, Labels: base64.StdEncoding.EncodeToString(all)}
}

func TestIndex(t *testing.T) {
	c := newConsortium(t)
	a, b := person(t, "HospitalA", "doctor", "doctor"), person(t, "HospitalB", "doctor", "doctor")
	payload, err := c.submit(a, nil, ledger.IndexPut, pack(1, 2, 3))
	if n := must[int](t, payload, err); n != 3 {
		t.Errorf("wrote %d", n)
	}
	_, err = c.submit(b, nil, ledger.IndexPut, pack(1)) // another hospital's namespace
	ok(t, nil, err)

	key, err := shim.CreateCompositeKey(ledger.IndexObject, []string{"HospitalA", base64.RawURLEncoding.EncodeToString(label(2))})
	if err != nil || !bytes.Equal(c.world.state[key].value, entryValue(2)) {
		t.Errorf("value %x, %v", c.world.state[key].value, err)
	}

	payload, err = c.evaluate("HospitalC", person(t, "HospitalC", "nurse", "nurse"), ledger.IndexGet,
		[]ledger.LabelBatch{labelBatch("HospitalB", 2, 1), labelBatch("HospitalA", 3, 9), labelBatch("HospitalC", 1)})
	got := must[[][]string](t, payload, err)
	one, three := base64.StdEncoding.EncodeToString(entryValue(1)), base64.StdEncoding.EncodeToString(entryValue(3))
	want := [][]string{{"", one}, {three, ""}, {""}}
	for i := range want {
		if strings.Join(got[i], ",") != strings.Join(want[i], ",") {
			t.Errorf("batch %d: %q", i, got[i])
		}
	}
}

func TestIndexLabelsAreWrittenOnce(t *testing.T) {
	c := newConsortium(t)
	a := person(t, "HospitalA", "doctor", "doctor")
	_, err := c.submit(a, nil, ledger.IndexPut, pack(1, 2))
	ok(t, nil, err)
	_, err = c.submit(person(t, "HospitalA", "nurse", "nurse"), nil, ledger.IndexPut, pack(3, 2, 1))
	refused(t, ledger.ErrExists, nil, err)
	if err == nil || !strings.Contains(err.Error(), "2 of 3 labels") || !strings.Contains(err.Error(), base64.RawURLEncoding.EncodeToString(label(2))) {
		t.Errorf("got %v", err)
	}
	payload, err := c.evaluate("HospitalA", a, ledger.IndexGet, []ledger.LabelBatch{labelBatch("HospitalA", 3)})
	if got := must[[][]string](t, payload, err); got[0][0] != "" {
		t.Error("a refused batch wrote an entry")
	}
	_, err = c.submit(a, nil, ledger.IndexPut, pack(5, 5))
	refused(t, ledger.ErrInvalid, nil, err)
}

func TestIndexInvalid(t *testing.T) {
	c := newConsortium(t)
	a := person(t, "HospitalA", "doctor", "doctor")
	many := make([]int, ledger.MaxEntriesPerCall+1)
	for i := range many {
		many[i] = i
	}
	whole := pack(1)
	for name, bad := range map[string]string{
		"none": "", "one byte short": base64.StdEncoding.EncodeToString(make([]byte, ledger.PackedEntrySize-1)), "not base64": "*" + whole[1:],
		"unpadded": strings.TrimRight(pack(1, 2), "=") + "A", "too many": pack(many...), "url alphabet": strings.Repeat("_", len(whole)) + "=",
		"beyond every limit": strings.Repeat("A", maxArgument+1),
	} {
		if _, err := c.submit(a, nil, ledger.IndexPut, bad); !errors.Is(err, ledger.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	payload, err := c.submit(a, nil, ledger.IndexPut, pack(many[1:]...))
	if n := must[int](t, payload, err); n != ledger.MaxEntriesPerCall {
		t.Errorf("wrote %d", n)
	}

	for name, bad := range map[string][]ledger.LabelBatch{
		"no batch": {}, "no labels": {{MSP: "HospitalA"}}, "too many": {labelBatch("HospitalA", many...)},
		"too many together": {labelBatch("HospitalA", many[:4000]...), labelBatch("HospitalB", many[:97]...)},
		"short":             {{MSP: "HospitalA", Labels: base64.StdEncoding.EncodeToString(make([]byte, 15))}},
		"no MSP":            {labelBatch("", 1)}, "MSP with a separator": {labelBatch("HospitalA\x00", 1)},
		"MSP of another alphabet": {labelBatch("H\u00f6spital", 1)},
	} {
		if _, err := c.evaluate("HospitalA", a, ledger.IndexGet, bad); !errors.Is(err, ledger.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
