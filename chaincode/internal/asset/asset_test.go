package asset

import (
	"maps"
	"strings"
	"testing"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
)

// A stub holds a peer's state and one call. Batched writes take effect when the batch
// ends.
type stub struct {
	shim.ChaincodeStubInterface // panics if the contract calls any other method
	state, batch                map[string]string
	batching                    bool
	args                        []string
}

func (s *stub) GetFunctionAndParameters() (string, []string) { return s.args[0], s.args[1:] }
func (s *stub) GetCreator() ([]byte, error)                  { return nil, nil }
func (s *stub) GetState(key string) ([]byte, error) {
	if v, found := s.state[key]; found {
		return []byte(v), nil
	}
	return nil, nil
}

func (s *stub) PutState(key string, value []byte) error {
	if s.batching {
		s.batch[key] = string(value)
	} else {
		s.state[key] = string(value)
	}
	return nil
}
func (s *stub) StartWriteBatch() { s.batching, s.batch = true, map[string]string{} }
func (s *stub) FinishWriteBatch() error {
	maps.Copy(s.state, s.batch)
	s.batching = false
	return nil
}

// other is the chaincode that Beside extends.
type other struct{}

func (other) Init(shim.ChaincodeStubInterface) *peer.Response { return shim.Success(nil) }
func (other) Invoke(s shim.ChaincodeStubInterface) *peer.Response {
	function, _ := s.GetFunctionAndParameters()
	return shim.Success([]byte("other " + function))
}

func TestContract(t *testing.T) {
	cc, err := Beside(other{})
	if err != nil {
		t.Fatal(err)
	}
	state := map[string]string{}
	for _, c := range []struct {
		call    []string
		payload string
		message string // error message
	}{
		{[]string{"asset:Put", "a", "one"}, "", ""},
		{[]string{"asset:Get", "a"}, "one", ""},
		{[]string{"asset:PutMany", `{"b":"two","\u0000c\u0000":"three"}`}, "", ""},
		{[]string{"asset:Get", "b"}, "two", ""},
		{[]string{"asset:Get", "\x00c\x00"}, "three", ""},
		{[]string{"asset:Get", "d"}, "", "does not exist"},
		{[]string{"asset:PutMany", `[]`}, "", "cannot unmarshal"},
		{[]string{"asset:Delete", "a"}, "", "not found"},
		{[]string{"record:Get", "[]"}, "other record:Get", ""},
	} {
		r := cc.Invoke(&stub{state: state, args: c.call})
		if failed := r.GetStatus() >= shim.ERRORTHRESHOLD; string(r.GetPayload()) != c.payload || failed != (c.message != "") || !strings.Contains(r.GetMessage(), c.message) {
			t.Errorf("%q: got %v", c.call, r)
		}
	}
	if len(state) != 3 {
		t.Errorf("state %q", state)
	}
}
