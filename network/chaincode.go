package network

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// keysCollection is the private data collection that holds wrapped keys. The chaincode
// knows it under this name.
const keysCollection = "hospitalKeys"

// chaincodePackage gives the package that every organisation installs, and its id. The
// package holds only a name (see ccbuilder), so its bytes and its id are the same at
// every organisation.
func (n *Network) chaincodePackage() (data []byte, id string, err error) {
	label := n.topology.Chaincode
	metadata, err := json.Marshal(map[string]string{"type": "chartseal", "label": label})
	if err != nil {
		return nil, "", err
	}
	code, err := tarball("name", []byte(label))
	if err != nil {
		return nil, "", err
	}
	data, err = tarball("metadata.json", metadata, "code.tar.gz", code)
	if err != nil {
		return nil, "", err
	}
	digest := sha256.Sum256(data)
	return data, label + ":" + hex.EncodeToString(digest[:]), nil
}

// tarball packs entries, which are names and contents in turn.
func tarball(entries ...any) ([]byte, error) {
	var buf bytes.Buffer
	zipped := gzip.NewWriter(&buf)
	archive := tar.NewWriter(zipped)
	for i := 0; i < len(entries); i += 2 {
		content := entries[i+1].([]byte)
		if err := archive.WriteHeader(&tar.Header{Name: entries[i].(string), Mode: 0o644, Size: int64(len(content))}); err != nil {
			return nil, err
		}
		if _, err := archive.Write(content); err != nil {
			return nil, err
		}
	}
	if err := archive.Close(); err != nil {
		return nil, err
	}
	err := zipped.Close()
	return buf.Bytes(), err
}

func (n *Network) packageFile() string     { return n.path("channel", "chaincode.tar.gz") }
func (n *Network) collectionsFile() string { return n.path("channel", "collections.json") }

// writeDefinition writes what the lifecycle commands read: the package and the
// collections.
func (n *Network) writeDefinition() error {
	data, _, err := n.chaincodePackage()
	if err != nil {
		return err
	}
	if err := writeFile(n.packageFile(), data); err != nil {
		return err
	}
	collections, err := json.MarshalIndent([]object{{
		"name": keysCollection,
		// Peers only: gossip and the peers' streams serve private data to every identity
		// that the policy covers, and a person's certificate must not be one.
		"policy": "OR(" + strings.Join(n.hospitalRoles("peer"), ",") + ")",
		// An endorsement fails unless the keys have reached another hospital, so that the
		// loss of one hospital does not lose them.
		"requiredPeerCount": 1,
		"maxPeerCount":      len(n.topology.Hospitals) - 1,
		"blockToLive":       0,
		// A member in this sense is an identity that the policy covers. People are none,
		// so the contract decides who reads and writes.
		"memberOnlyRead":  false,
		"memberOnlyWrite": false,
	}}, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(n.collectionsFile(), collections)
}

// endorsementPolicy is an explicit OutOf, because Fabric's MAJORITY verifies each
// endorsement once for every organisation.
func (n *Network) endorsementPolicy() string {
	return "OutOf(2," + strings.Join(n.hospitalRoles("peer"), ",") + ")"
}

func (n *Network) hospitalRoles(role string) []string {
	var all []string
	for _, h := range n.topology.Hospitals {
		all = append(all, fmt.Sprintf("'%s.%s'", h.Name, role))
	}
	return all
}

// definitionFlags are the chaincode definition. All organisations must give the same one.
func (n *Network) definitionFlags(sequence int) []string {
	return []string{
		"--channelID", n.topology.Channel, "--name", n.topology.Chaincode, "--version", "1", "--sequence", strconv.Itoa(sequence),
		"--signature-policy", n.endorsementPolicy(), "--collections-config", n.collectionsFile(),
	}
}

func (n *Network) installChaincode(ctx context.Context, org string) error {
	_, err := n.peerCommand(ctx, org, "lifecycle", "chaincode", "install", n.packageFile())
	return err
}

func (n *Network) approveChaincode(ctx context.Context, org string, sequence int) error {
	_, id, err := n.chaincodePackage()
	if err != nil {
		return err
	}
	args := append([]string{"lifecycle", "chaincode", "approveformyorg", "--package-id", id, "--waitForEventTimeout", n.waitTimeout().String()}, n.definitionFlags(sequence)...)
	_, err = n.peerCommand(ctx, org, append(args, n.ordererFlags(org)...)...)
	return err
}

func (n *Network) commitChaincode(ctx context.Context, sequence int) error {
	org := n.topology.Hospitals[0].Name
	args := append([]string{"lifecycle", "chaincode", "commit", "--waitForEventTimeout", n.waitTimeout().String()}, n.definitionFlags(sequence)...)
	for _, o := range n.topology.Organisations() {
		args = append(args, "--peerAddresses", n.address(o.Name, portPeer), "--tlsRootCertFiles", n.tlsRoot(o.Name))
	}
	_, err := n.peerCommand(ctx, org, append(args, n.ordererFlags(org)...)...)
	return err
}

// configureChaincode writes the connection.json that the external builder gives to an
// organisation's peer. It holds PEM texts, not paths. The peer shows a certificate that
// serves no other purpose.
func (n *Network) configureChaincode(org string) error {
	peer, err := readKeyPair(n.chaincodeLink(org), "client-")
	if err != nil {
		return err
	}
	root, err := os.ReadFile(n.tlsRoot(org))
	if err != nil {
		return err
	}
	connection, err := json.Marshal(object{
		"address": n.address(org, portChaincode), "dial_timeout": "10s", "domain": "localhost",
		"tls_required": true, "client_auth_required": true,
		"client_cert": string(peer.Certificate), "client_key": string(peer.Key), "root_cert": string(root),
	})
	if err != nil {
		return err
	}
	// A peer that has installed the chaincode before reads its own copies.
	files, err := filepath.Glob(n.org(org, "peer", "data", "externalbuilder", "builds", "*", "*", "chaincode", "server", "connection.json"))
	if err != nil {
		return err
	}
	for _, file := range append(files, n.org(org, "peer", "connection.json")) {
		if err := writeFile(file, connection); err != nil {
			return err
		}
	}
	return nil
}

// writeBuilder puts the external builder where the peers look for its three programs.
func (n *Network) writeBuilder() error {
	program, err := os.ReadFile(filepath.Join(n.state.Programs, "ccbuilder"))
	if err != nil {
		return fmt.Errorf("external builder: %w", err)
	}
	for _, phase := range []string{"detect", "build", "release"} {
		file := n.path("builder", "bin", phase)
		if err := writeFile(file, program); err != nil {
			return err
		}
		if err := os.Chmod(file, 0o700); err != nil {
			return err
		}
	}
	return nil
}

func (n *Network) chaincodeProcess(org string) *process {
	dir := n.org(org, "chaincode")
	_, id, err := n.chaincodePackage()
	if err != nil {
		panic("network: pack chaincode: " + err.Error()) // in memory: a programmer's error
	}
	var hospitals []string
	for _, h := range n.topology.Hospitals {
		hospitals = append(hospitals, h.Name)
	}
	return &process{
		organisation: org, kind: "chaincode", address: n.address(org, portChaincode), ports: []int{n.port(org, portChaincode)},
		path: filepath.Join(n.state.Programs, n.topology.ChaincodeProgram), dir: dir,
		env: []string{
			"CHAINCODE_SERVER_ADDRESS=" + n.address(org, portChaincode), "CORE_CHAINCODE_ID_NAME=" + id,
			"CHARTSEAL_MSP=" + org, "CHARTSEAL_HOSPITALS=" + strings.Join(hospitals, ","), "CHARTSEAL_AMENDERS=" + strings.Join(n.topology.Amenders, ","),
			"CHARTSEAL_RESEALERS=" + strings.Join(n.topology.Resealers, ","), "CHARTSEAL_ERASERS=" + strings.Join(n.topology.Erasers, ","),
			"CHARTSEAL_ERASE_PERSONS=" + strconv.Itoa(max(n.topology.ErasePersons, 1)),
			"CHARTSEAL_COPIES=" + string(ledger.CopyRulesValue(n.topology.Copies)),
			"CHAINCODE_TLS_CERT=" + filepath.Join(dir, "tls-cert.pem"), "CHAINCODE_TLS_KEY=" + filepath.Join(dir, "tls-key.pem"),
			"CHAINCODE_TLS_CLIENT_CAS=" + filepath.Join(n.chaincodeLink(org), "ca-cert.pem"),
		},
		ready: func(ctx context.Context) error {
			link := n.chaincodeLink(org)
			config, err := clientTLS(n.tlsRoot(org), link+"/client-cert.pem", link+"/client-key.pem")
			if err != nil {
				return err
			}
			return n.dialTLS(ctx, n.address(org, portChaincode), config)
		},
	}
}
