package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/chartseal/chartseal/chaincode/contract"
	"github.com/chartseal/chartseal/chaincode/ledger"
)

// A liar is the changed chaincode of a hospital whose administrator attacks the others.
// With its peer it endorses whatever attackPut names, and it changes the answers to
// queries. Otherwise it is the true chaincode.
type liar struct {
	*contract.Chaincode
	lie func(function string, answer []byte) []byte // nil for the truth
}

// Transactions of the changed chaincode.
const (
	attackPut = "attack:Put" // (key, value)...: writes the public state
	attackKey = "attack:Key" // (key): reads the hospitals' private data
)

// Invoke implements shim.Chaincode.
func (l *liar) Invoke(stub shim.ChaincodeStubInterface) *peer.Response {
	function, args := stub.GetFunctionAndParameters()
	switch function {
	case attackPut:
		for i := 0; i < len(args); i += 2 {
			if err := stub.PutState(args[i], []byte(args[i+1])); err != nil {
				return shim.Error(err.Error())
			}
		}
		return shim.Success(nil)
	case attackKey:
		value, err := stub.GetPrivateData(ledger.HospitalKeys, args[0])
		if err != nil {
			return shim.Error(err.Error())
		}
		return shim.Success(value)
	}
	response := l.Chaincode.Invoke(stub)
	if l.lie != nil && response.GetStatus() == shim.OK {
		response.Payload = l.lie(function, response.GetPayload())
	}
	return response
}

// takeOver replaces a hospital's chaincode server by a changed one, until the test ends.
func takeOver(t *testing.T, hospital string, lie func(function string, answer []byte) []byte) {
	t.Helper()
	env := environmentOf(t, "chaincode", hospital)
	truth, err := contract.New(contract.Config{MSP: hospital, Hospitals: strings.Split(env["CHARTSEAL_HOSPITALS"], ",")})
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := tls.LoadX509KeyPair(env["CHAINCODE_TLS_CERT"], env["CHAINCODE_TLS_KEY"])
	if err != nil {
		t.Fatal(err)
	}
	roots, err := os.ReadFile(env["CHAINCODE_TLS_CLIENT_CAS"])
	if err != nil {
		t.Fatal(err)
	}
	clients := x509.NewCertPool()
	clients.AppendCertsFromPEM(roots)
	config := &tls.Config{Certificates: []tls.Certificate{certificate}, ClientCAs: clients, ClientAuth: tls.RequireAndVerifyClientCert}

	kill(t, "chaincode", hospital, syscall.SIGKILL)
	var listener net.Listener
	for range 50 { // until the address is free
		if listener, err = net.Listen("tcp", env["CHAINCODE_SERVER_ADDRESS"]); err == nil {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.Creds(credentials.NewTLS(config)))
	peer.RegisterChaincodeServer(server, &shim.ChaincodeServer{CCID: env["CORE_CHAINCODE_ID_NAME"], CC: &liar{truth, lie}})
	go server.Serve(listener)
	t.Cleanup(func() {
		server.Stop()
		if err := consortium.Start(context.WithoutCancel(t.Context()), hospital); err != nil {
			t.Errorf("give %s its chaincode back: %v", hospital, err)
		}
	})
}

// environmentOf reads the environment of a running server.
func environmentOf(t *testing.T, process, organisation string) map[string]string {
	t.Helper()
	for _, s := range consortium.Status(t.Context()) {
		if s.Process != process || s.Organisation != organisation || s.PID == 0 {
			continue
		}
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", s.PID))
		if err != nil {
			t.Fatal(err)
		}
		env := make(map[string]string)
		for _, line := range bytes.Split(text, []byte{0}) {
			name, value, _ := strings.Cut(string(line), "=")
			env[name] = value
		}
		return env
	}
	t.Fatalf("%s/%s does not run", organisation, process)
	return nil
}
