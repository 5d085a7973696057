package network

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
)

// writeWallet writes the organisations' profiles and the clients' configuration.
// Enrolment puts the users beside them.
func (n *Network) writeWallet() error {
	for _, o := range n.topology.Organisations() {
		roots, err := os.ReadFile(n.tlsRoot(o.Name))
		if err != nil {
			return err
		}
		if err := writeFile(n.path("wallet", "tls", o.Name+".pem"), roots); err != nil {
			return err
		}
		os.Remove(n.path("wallet", "tls", o.Name+"-ca.pem")) // of an earlier release
		profile, err := n.profile(o.Name)
		if err != nil {
			return err
		}
		if err := writeYAML(n.path("wallet", o.Name+".yaml"), profile); err != nil {
			return err
		}
	}
	if err := writeYAML(n.path("chartseal.yaml"), object{"wallet": "wallet"}); err != nil {
		return err
	}
	// A program takes the network directly below its own directory by default.
	if filepath.Join(n.state.Programs, "network") != n.dir {
		return nil
	}
	return writeYAML(filepath.Join(n.state.Programs, "chartseal.yaml"), object{"wallet": "network/wallet"})
}

// profile tells a client where an organisation's servers are. Its paths are relative to
// its own file.
func (n *Network) profile(org string) (object, error) {
	profile := object{
		"msp": org, "channel": n.topology.Channel, "chaincode": n.topology.Chaincode,
		"index": "now", // on a development network a sealed record should be found at once
		"peer":  object{"address": n.address(org, portPeer), "serverName": "localhost", "tlsRoots": fmt.Sprintf("tls/%s.pem", org)},
		"ca": object{
			"url": n.caURL(org), "name": enrolmentCA, "tlsName": tlsCA, "tlsRoots": fmt.Sprintf("tls/%s.pem", org),
		},
	}
	members := object{}
	for _, o := range n.topology.Organisations() {
		root, err := fingerprint(n.caRoot(o.Name))
		if err != nil {
			return nil, err
		}
		members[o.Name] = []string{root}
	}
	profile["members"] = members
	if n.topology.isHospital(org) {
		profile["ipfs"] = object{"api": n.multiaddr(org, portIPFSProxy) + "/https", "tlsRoots": fmt.Sprintf("tls/%s.pem", org)}
	}
	return profile, nil
}

// fingerprint gives the SHA-256 of the certificate in a PEM file, in hexadecimal.
func fingerprint(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return "", fmt.Errorf("%s has no certificate", path)
	}
	sum := sha256.Sum256(block.Bytes)
	return hex.EncodeToString(sum[:]), nil
}
