package network

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A kubo node belongs to each hospital. The nodes form a private swarm: every node knows
// the swarm's key and all other nodes, and speaks to nobody else.

// initIPFS makes a hospital's repository, with its key, once.
func (n *Network) initIPFS(ctx context.Context, org string) error {
	dir := n.org(org, "ipfs")
	if _, err := os.Stat(filepath.Join(dir, "token")); err == nil {
		return nil
	}
	cmd := exec.CommandContext(ctx, filepath.Join(n.state.Servers.Kubo, "ipfs"), "init", "--empty-repo")
	cmd.Env = n.ipfsEnvironment(org)
	if _, err := n.run(ctx, cmd); err != nil {
		return err
	}
	return writeFile(filepath.Join(dir, "token"), []byte(secret())) // last: it marks the repository as complete
}

func (n *Network) ipfsEnvironment(org string) []string {
	return []string{
		"IPFS_PATH=" + n.org(org, "ipfs"), "IPFS_TELEMETRY=off",
		"LIBP2P_FORCE_PNET=1", // never join the public swarm
	}
}

// configureIPFS joins the hospitals' repositories to one swarm, after initIPFS made them.
func (n *Network) configureIPFS() error {
	swarmKey := n.path("orgs", n.topology.Hospitals[0].Name, "ipfs", "swarm.key")
	key, err := os.ReadFile(swarmKey)
	if err != nil {
		key = []byte("/key/swarm/psk/1.0.0/\n/base16/\n" + secret() + "\n")
	}
	configs := map[string]object{}
	peers := map[string]string{} // hospital to peer id
	for _, h := range n.topology.Hospitals {
		data, err := os.ReadFile(n.org(h.Name, "ipfs", "config"))
		if err != nil {
			return err
		}
		var config object
		if err := json.Unmarshal(data, &config); err != nil {
			return fmt.Errorf("%s/ipfs: %w", h.Name, err)
		}
		identity, _ := config["Identity"].(object)
		peers[h.Name], _ = identity["PeerID"].(string)
		configs[h.Name] = config
	}
	for _, h := range n.topology.Hospitals {
		config := configs[h.Name]
		if err := n.overlayIPFS(config, h.Name, peers); err != nil {
			return err
		}
		data, err := json.MarshalIndent(config, "", "  ")
		if err != nil {
			return err
		}
		if err := writeFile(n.org(h.Name, "ipfs", "swarm.key"), key); err != nil {
			return err
		}
		if err := writeFile(n.org(h.Name, "ipfs", "config"), data); err != nil {
			return err
		}
	}
	return nil
}

func (n *Network) overlayIPFS(config object, org string, peers map[string]string) error {
	token, err := n.ipfsToken(org)
	if err != nil {
		return err
	}
	operator, err := n.operatorToken(org)
	if err != nil {
		return err
	}
	bootstrap, peering := []string{}, []object{}
	for _, name := range sortedKeys(peers) {
		if name == org {
			continue
		}
		address := n.multiaddr(name, portIPFSSwarm)
		bootstrap = append(bootstrap, address+"/p2p/"+peers[name])
		peering = append(peering, object{"ID": peers[name], "Addrs": []string{address}})
	}
	disabled := object{"Enabled": false}
	overlay(config, object{
		"Addresses": object{
			"API": n.multiaddr(org, portIPFSAPI), "Gateway": []string{},
			"Swarm": []string{n.multiaddr(org, portIPFSSwarm)},
		},
		"API": object{"Authorizations": object{
			"chartseal": object{"AuthSecret": "bearer:" + token, "AllowedPaths": clientCalls},
			"operator":  object{"AuthSecret": "bearer:" + operator, "AllowedPaths": []string{"/api/v0"}},
		}},
		"Bootstrap": bootstrap, "Peering": object{"Peers": peering},
		"Routing":  object{"Type": "none", "DelegatedRouters": []string{}},
		"Ipns":     object{"DelegatedPublishers": []string{}},
		"AutoConf": disabled, "AutoTLS": disabled, "Provide": disabled, "HTTPRetrieval": disabled,
		"AutoNAT":   object{"ServiceMode": "disabled"},
		"Discovery": object{"MDNS": disabled},
		"Swarm": object{
			"DisableNatPortMap": true, "EnableHolePunching": false, "RelayClient": disabled, "RelayService": disabled,
			"Transports": object{"Network": object{
				"TCP": true, "QUIC": false, "Websocket": false, "Relay": false, "WebTransport": false, "WebRTCDirect": false,
			}},
		},
		"Version": object{"SwarmCheckEnabled": false},
		"Plugins": object{"Plugins": object{"telemetry": object{"Disabled": true}}},
		"Import":  object{"CidVersion": 1, "UnixFSRawLeaves": true, "UnixFSChunker": "size-1048576"},
	})
	config["DNS"] = object{"Resolvers": object{}} // overlay would keep the default resolver
	return nil
}

func (n *Network) ipfsToken(org string) (string, error) {
	token, err := os.ReadFile(n.org(org, "ipfs", "token"))
	return strings.TrimSpace(string(token)), err
}

// clientCalls are the calls of package client/ipfs, for which the token of the wallet is
// good. It does not collect garbage, change the node's configuration or stop the node.
var clientCalls = []string{
	"/api/v0/add", "/api/v0/cat", "/api/v0/block/get", "/api/v0/block/put", "/api/v0/block/stat", "/api/v0/dag/import",
	"/api/v0/pin/add", "/api/v0/pin/ls", "/api/v0/pin/rm", "/api/v0/pin/update",
}

// OperatorToken is good for every call of a hospital's node. It is in no wallet.
func (n *Network) OperatorToken(hospital string) (string, error) { return n.operatorToken(hospital) }

// operatorToken reads the operator's token. Its first use makes it.
func (n *Network) operatorToken(org string) (string, error) {
	file := n.org(org, "ipfs", "operator-token")
	token, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		token = []byte(secret())
		err = writeFile(file, token)
	}
	return string(token), err
}

// multiaddr is a service's address in IPFS's notation.
func (n *Network) multiaddr(org string, offset int) string {
	return fmt.Sprintf("/ip4/%s/tcp/%d", n.host(org), n.port(org, offset))
}

func (n *Network) ipfsProcess(org string) *process {
	return &process{
		organisation: org, kind: "ipfs", address: n.address(org, portIPFSAPI),
		ports: []int{n.port(org, portIPFSAPI), n.port(org, portIPFSSwarm)},
		path:  filepath.Join(n.state.Servers.Kubo, "ipfs"), args: []string{"daemon"},
		env: n.ipfsEnvironment(org), dir: n.org(org, "ipfs"),
		ready: func(ctx context.Context) error {
			token, err := n.operatorToken(org)
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(ctx, n.probeTimeout())
			defer cancel()
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+n.address(org, portIPFSAPI)+"/api/v0/id", nil)
			if err != nil {
				return err
			}
			req.Header.Set("Authorization", "Bearer "+token)
			_, err = fetch(req, nil)
			return err
		},
	}
}
