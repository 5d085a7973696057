package wallet

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/index"
)

// A Profile tells how to reach the services of an organisation. The file is YAML; unknown
// fields are an error:
//
//	msp: HospitalA
//	channel: chartseal
//	chaincode: chartseal
//	peer: {address: "127.0.0.1:7051", serverName: localhost, tlsRoots: tls/HospitalA.pem}
//	ipfs: {api: /ip4/127.0.0.1/tcp/5001/https, tlsRoots: tls/HospitalA.pem}
//	ca:   {url: "https://127.0.0.1:7054", name: ca, tlsName: tlsca, tlsRoots: tls/HospitalA-ca.pem}
//	index: batched
//	members: {HospitalA: [9f86d081...], HospitalB: [60303ae2...]}
//
// tlsRoots is PEM text, or the path of a PEM file relative to the profile. ipfs and ca
// may be absent. The address of ipfs is that of a proxy, see package client/ipfs/proxy; a
// kubo node of one's own takes a token instead, as in {api: /ip4/127.0.0.1/tcp/5001,
// token: "..."}. index is the default for when sealed records are indexed: now, batched
// or none. members has the SHA-256 of the root certificates of the channel's members, as
// each member gives it out; without it, the first roots that two peers list are believed.
type Profile struct {
	MSP       string
	Channel   string
	Chaincode string
	Peer      Peer
	IPFS      *IPFS      // nil for organisations that store no payloads
	CA        *CA        // nil when certificates come from elsewhere
	Index     index.Mode // empty when the organisation does not say

	Members map[string][]ledger.CertificateID // roots by MSP ID, sorted; may be empty
}

// A Peer is the organisation's own peer, whose gateway its clients use.
type Peer struct {
	MSP        string // organisation that runs it
	Address    string // host:port
	ServerName string // expected in its certificate; empty means the host of Address
	TLSRoots   []byte // PEM
}

// IPFS is the organisation's kubo node, or the proxy before it.
type IPFS struct {
	API      string // multiaddress of its RPC
	Token    string // bearer token, may be empty
	TLSRoots []byte // PEM; nil without TLS
}

// A CA is the organisation's Fabric CA, with two instances in one server.
type CA struct {
	URL      string
	Name     string // instance that enrols identities
	TLSName  string // instance that enrols TLS certificates
	TLSRoots []byte // PEM
}

type profileFile struct {
	MSP       string `yaml:"msp"`
	Channel   string `yaml:"channel"`
	Chaincode string `yaml:"chaincode"`
	Index     string `yaml:"index"`

	Members map[string][]string `yaml:"members"`

	Peer struct {
		Address    string `yaml:"address"`
		ServerName string `yaml:"serverName"`
		TLSRoots   string `yaml:"tlsRoots"`
	} `yaml:"peer"`
	IPFS *struct {
		API      string `yaml:"api"`
		Token    string `yaml:"token"`
		TLSRoots string `yaml:"tlsRoots"`
	} `yaml:"ipfs"`
	CA *struct {
		URL      string `yaml:"url"`
		Name     string `yaml:"name"`
		TLSName  string `yaml:"tlsName"`
		TLSRoots string `yaml:"tlsRoots"`
	} `yaml:"ca"`
}

// ReadProfile reads a profile and the files that it names.
//
// Errors:
//   - ErrInvalid if a field is unknown, missing or malformed.
func ReadProfile(path string) (*Profile, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read profile: %w", err)
	}
	defer f.Close()
	d := yaml.NewDecoder(f)
	d.KnownFields(true)
	var in profileFile
	if err := d.Decode(&in); err != nil && !errors.Is(err, io.EOF) {
		return nil, ledger.Errorf(ledger.ErrInvalid, "profile %s: %s", path, strings.Join(strings.Fields(err.Error()), " "))
	}
	p, err := in.profile(filepath.Dir(path))
	if err != nil {
		return nil, ledger.Errorf(ledger.ErrInvalid, "profile %s: %v", path, err)
	}
	return p, nil
}

func (in *profileFile) profile(dir string) (*Profile, error) {
	p := &Profile{MSP: in.MSP, Channel: in.Channel, Chaincode: in.Chaincode}
	var err error
	if p.Index, err = index.ParseMode(in.Index); err != nil {
		return nil, fmt.Errorf("index %v", err)
	}
	if in.Channel == "" {
		return nil, errors.New("no channel")
	}
	if in.Chaincode == "" {
		return nil, errors.New("no chaincode")
	}
	if !mspName.MatchString(in.MSP) {
		return nil, fmt.Errorf("msp %q is not an MSP ID", in.MSP)
	}
	for member, roots := range in.Members {
		for _, text := range slices.Sorted(slices.Values(roots)) {
			root, err := ledger.ParseCertificateID(text)
			if err != nil {
				return nil, fmt.Errorf("members: %s: %v", member, err)
			}
			if p.Members == nil {
				p.Members = make(map[string][]ledger.CertificateID)
			}
			p.Members[member] = append(p.Members[member], root)
		}
	}
	host, _, err := net.SplitHostPort(in.Peer.Address)
	if err != nil {
		return nil, fmt.Errorf("peer.address: %v", err)
	}
	p.Peer = Peer{MSP: in.MSP, Address: in.Peer.Address, ServerName: in.Peer.ServerName}
	if p.Peer.ServerName == "" {
		p.Peer.ServerName = host
	}
	if p.Peer.TLSRoots, err = roots(dir, in.Peer.TLSRoots); err != nil {
		return nil, fmt.Errorf("peer.tlsRoots: %v", err)
	}
	if in.IPFS != nil {
		if !strings.HasPrefix(in.IPFS.API, "/") {
			return nil, fmt.Errorf("ipfs.api %q is not a multiaddress such as /ip4/127.0.0.1/tcp/5001", in.IPFS.API)
		}
		p.IPFS = &IPFS{API: in.IPFS.API, Token: in.IPFS.Token}
		if strings.HasSuffix(in.IPFS.API, "/https") || in.IPFS.TLSRoots != "" {
			if p.IPFS.TLSRoots, err = roots(dir, in.IPFS.TLSRoots); err != nil {
				return nil, fmt.Errorf("ipfs.tlsRoots: %v", err)
			}
		}
	}
	if in.CA != nil {
		u, err := url.Parse(in.CA.URL)
		if err != nil || u.Scheme != "https" || u.Host == "" {
			return nil, fmt.Errorf("ca.url %q is not an https address", in.CA.URL)
		}
		p.CA = &CA{URL: in.CA.URL, Name: in.CA.Name, TLSName: in.CA.TLSName}
		if p.CA.TLSRoots, err = roots(dir, in.CA.TLSRoots); err != nil {
			return nil, fmt.Errorf("ca.tlsRoots: %v", err)
		}
	}
	return p, nil
}

// roots returns PEM text, or the content of the PEM file that text names.
func roots(dir, text string) ([]byte, error) {
	data := []byte(text)
	if !strings.Contains(text, "-----BEGIN") {
		if text == "" {
			return nil, errors.New("missing")
		}
		if !filepath.IsAbs(text) {
			text = filepath.Join(dir, text)
		}
		var err error
		if data, err = os.ReadFile(text); err != nil {
			return nil, err
		}
	}
	if !x509.NewCertPool().AppendCertsFromPEM(data) {
		return nil, errors.New("no certificate in it")
	}
	return data, nil
}
