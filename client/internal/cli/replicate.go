package cli

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/fabric"
	"github.com/chartseal/chartseal/client/replica"
	"github.com/chartseal/chartseal/client/session"
)

func (a *app) replicateCommand() *cobra.Command {
	var parallel int
	cmd := &cobra.Command{
		Use:   "replicate",
		Short: "Keep a copy of every sealed record on your hospital's IPFS node",
		Long: `Replicate follows the ledger and pins the ciphertext of every record on your hospital's IPFS node, so
that records survive the failure of any one hospital. It starts at the first block, runs until it is
stopped, and continues there when it is started again. One replicator is enough for a hospital.`,
		GroupID: sectionHospital,
		Args:    takes(0, 0, ""),
		RunE: a.runUntilStopped(func(ctx context.Context, _ []string) error {
			if parallel < 1 {
				return usagef("--parallel must be at least 1")
			}
			return a.withSession(func(s *session.Session) error {
				if s.Blobs == nil {
					return fmt.Errorf("the profile of %s names no IPFS node: %w", s.User.Profile.MSP, client.ErrInvalid)
				}
				log := a.log()
				r, err := replica.New(replica.Config{
					Store: s.Blobs, Memory: s.User.Memory(), Log: log, Parallel: parallel,
					Feed: func(ctx context.Context, handle func(context.Context, []string) error) error {
						return s.Ledger.FollowRecords(ctx, fabric.Following[[]ledger.Payload]{
							Checkpoint: fabric.CheckpointFile(filepath.Join(s.User.Dir(), "state", "replica", "followed")),
							Handle: func(ctx context.Context, payloads []ledger.Payload) error {
								cids := make([]string, len(payloads))
								for i, p := range payloads {
									cids[i] = p.CID
								}
								return handle(ctx, cids)
							},
							Interrupted: func(err error, wait time.Duration) {
								log.Warn("ledger lost, trying again", "error", fmt.Sprint(err), "pause", wait.String())
							},
						})
					},
				})
				if err != nil {
					return err
				}
				return r.Run(ctx)
			})
		}),
	}
	cmd.Flags().IntVar(&parallel, "parallel", 16, "fetch this many records at a time")
	return cmd
}
