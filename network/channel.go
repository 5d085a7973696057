package network

import (
	"bytes"
	"context"
	"fmt"
	"mime/multipart"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
)

const configtxProfile = "Chartseal"

// blockACLs close the peers' stream of full blocks to single certificates: a majority of
// administrators cannot sign one request. The same resource guards
// DeliverWithPrivateData, which would send the wrapped keys of the hospitals' collection
// to everybody whom the collection policy covers, without an access entry. Members read
// blocks, which hold no private data, through qscc or from the orderers.
var blockACLs = map[string]string{"event/Block": "/Channel/Application/Admins"}

// configtx is the input of configtxgen: one channel, in which every organisation orders
// and endorses.
func (n *Network) configtx() object {
	t := n.topology
	var members, consenters []object
	for i, o := range t.Organisations() {
		signature := func(role string) object {
			return object{"Type": "Signature", "Rule": fmt.Sprintf("OR('%s.%s')", o.Name, role)}
		}
		members = append(members, object{
			"Name": o.Name, "ID": o.Name, "MSPDir": n.org(o.Name, "msp"),
			"Policies": object{
				"Readers": signature("member"), "Writers": signature("member"),
				"Admins": signature("admin"), "Endorsement": signature("peer"),
			},
			"OrdererEndpoints": []string{n.address(o.Name, portOrderer)},
			"AnchorPeers":      []object{{"Host": n.host(o.Name), "Port": n.port(o.Name, portPeer)}},
		})
		tlsCert := n.org(o.Name, "orderer", "tls-cert.pem")
		consenters = append(consenters, object{
			"ID": i + 1, "Host": n.host(o.Name), "Port": n.port(o.Name, portOrderer), "MSPID": o.Name,
			"Identity": n.org(o.Name, "orderer", "cert.pem"), "ClientTLSCert": tlsCert, "ServerTLSCert": tlsCert,
		})
	}
	implicit := func(rule string) object { return object{"Type": "ImplicitMeta", "Rule": rule} }
	policies := func(more object) object {
		p := object{"Readers": implicit("ANY Readers"), "Writers": implicit("ANY Writers"), "Admins": implicit("MAJORITY Admins")}
		for name, policy := range more {
			p[name] = policy
		}
		return p
	}
	b := t.Ordering
	orderer := object{
		"BatchTimeout": b.BatchInterval.String(), // BFT has its own timer, set to the same value
		"BatchSize": object{
			"MaxMessageCount": b.BatchCount, "AbsoluteMaxBytes": b.BatchBytes, "PreferredMaxBytes": b.PreferredBatchBytes,
		},
		"Organizations": members,
		"Policies":      policies(object{"BlockValidation": implicit("ANY Writers")}), // for BFT, configtxgen writes the quorum here
		"Capabilities":  object{"V2_0": true},
	}
	b.configure(orderer, consenters)
	return object{"Profiles": object{configtxProfile: object{
		"Policies": policies(nil), "Capabilities": object{"V3_0": true},
		"Orderer": orderer,
		"Application": object{
			"Organizations": members,
			"Policies": policies(object{
				"LifecycleEndorsement": implicit("MAJORITY Endorsement"), "Endorsement": implicit("MAJORITY Endorsement"),
			}),
			"ACLs":         blockACLs,
			"Capabilities": object{"V2_5": true},
		},
	}}}
}

func (n *Network) genesisBlock() string { return n.path("channel", "genesis.block") }

// makeGenesis makes the channel's first block.
func (n *Network) makeGenesis(ctx context.Context) error {
	var roots []byte
	for _, o := range n.topology.Organisations() {
		root, err := os.ReadFile(n.tlsRoot(o.Name))
		if err != nil {
			return err
		}
		roots = append(roots, root...)
		if err := n.writeMSP(o.Name, n.org(o.Name, "msp"), nil); err != nil {
			return err
		}
	}
	if err := writeFile(n.allTLSRoots(), roots); err != nil {
		return err
	}
	if err := writeYAML(n.path("channel", "configtx.yaml"), n.configtx()); err != nil {
		return err
	}
	_, err := n.run(ctx, exec.CommandContext(ctx, filepath.Join(n.state.Servers.Fabric, "configtxgen"),
		"-configPath", n.path("channel"), "-profile", configtxProfile,
		"-channelID", n.topology.Channel, "-outputBlock", n.genesisBlock()))
	return err
}

// joinOrderer makes an orderer a consenter of the channel.
func (n *Network) joinOrderer(ctx context.Context, org string) error {
	block, err := os.ReadFile(n.genesisBlock())
	if err != nil {
		return err
	}
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("config-block", "config.block")
	if err != nil {
		return err
	}
	part.Write(block) // into memory
	form.Close()
	config, err := n.adminTLS(org)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, n.participationURL(org), &body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", form.FormDataContentType())
	if _, err := fetch(req, overTLS(config)); err != nil {
		return fmt.Errorf("join %s/orderer to the channel: %w", org, err)
	}
	return nil
}

// joinPeer makes a peer follow the channel.
func (n *Network) joinPeer(ctx context.Context, org string) error {
	_, err := n.peerCommand(ctx, org, "channel", "join", "-b", n.genesisBlock())
	return err
}
