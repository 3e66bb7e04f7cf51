//! Sentences about floors, routing and gates.

use super::{LORA, MOLORA, MOR1E, Run, rank};
use crate::protocol::{AblationFrame, Binds, Floor};

#[test]
fn gates_at_zero() {
    let zero = |run: &mut Run| {
        run.frame.step = 1;
        run.frame.lanes[MOLORA].spectrum = vec![0.0; 2];
        run.frame.lanes[MOR1E].spectrum = vec![0.0; 2];
        run.frame.gates[0].entropy = 0.998;
        run.frame.gates[1].entropy = 0.991;
    };
    Run::domains()
        .and(zero)
        .says("The gates of MoLoRA and MoR1E are still uniform (entropy 0.998 and 0.991 of 1): B and u are zero, so the task's loss gives them no gradient yet.")
        .and(|run| run.frame.lanes[MOLORA].spectrum[0] = 1e-6)
        .says("The gates of MoR1E are still uniform (entropy 0.991 of 1): u is zero, so the task's loss gives them no gradient yet.")
        .and(|run| run.frame.gates[1].entropy = 0.97)
        .does_not_say("uniform");
    // With more layers than one, the spectrum must be that of a layer known to be adapted.
    Run::domains().and(zero).and(|run| run.started.layers.push(run.started.layers[0].clone())).does_not_say("uniform");
}

#[test]
fn nearly_uniform_gates() {
    let run =
        Run::domains().steps(3, 0.01, [0.95; 4]).and(|run| run.frame.gates[0].entropy = 0.995).does_not_say("uniform");
    run.steps(4, 0.01, [0.95; 4])
        .says("MoLoRA's gates are nearly uniform (entropy 0.995 of 1), so it acts almost as one LoRA of rank 8.")
        .and(|run| run.frame.lanes[MOLORA].lane.settings.set("top_k", 2))
        .does_not_say("uniform");
}

#[test]
fn stuck_and_routed() {
    let own = |run: &mut Run| {
        for domain in 0..4 {
            run.frame.gates[0].domains[domain * 4..][..4].fill(0.05);
            run.frame.gates[0].domains[domain * 4 + (domain + 1) % 4] = 0.85;
        }
    };
    let run = || Run::domains().steps(10, 0.01, [0.749, 0.751, 0.11, 0.53]);
    run()
        .and(own)
        .says("Full fine-tuning and LoRA are stuck at 0.749 and 0.751, the best any single weight can do (0.750); MoLoRA routes each domain to its own expert: 0.110; MoR1E goes below that by routing: 0.530.")
        // Two domains on one expert.
        .and(|run| run.frame.gates[0].domains.copy_within(0..4, 4))
        .does_not_say("its own expert");
    // One step short of two full windows.
    Run::domains().steps(9, 0.01, [0.75; 4]).does_not_say("stuck");
    // Near the floor, but still falling towards it.
    Run::domains().steps(5, 0.01, [0.85; 4]).steps(5, 0.01, [0.76; 4]).does_not_say("stuck");
    // Still, but not at the floor.
    Run::domains().steps(10, 0.01, [0.8; 4]).does_not_say("stuck");
    // A mixture just under the floor may be there by chance.
    Run::domains()
        .steps(10, 0.01, [0.75, 0.75, 0.72, 0.72])
        .says("Full fine-tuning and LoRA are stuck at 0.750, the best any single weight can do (0.750).");
    Run::domains()
        .steps(10, 0.01, [0.9, 0.9, 0.3, 0.9])
        .says("No single weight gets below 0.750; MoLoRA goes below that by routing: 0.300.");
    // A floor of zero holds nobody up.
    run().and(|run| run.started.floors[0].share = 0.0).does_not_say("stuck");
}

#[test]
fn floor_of_a_rank() {
    let of_rank = |run: &mut Run| {
        run.started.floors[0].lanes = vec![LORA];
        run.started.floors[0].binds = Some(Binds::Rank(8));
    };
    let run = || Run::domains().and(of_rank).steps(10, 0.01, [0.6, 0.75, 0.11, 0.53]);
    // It binds LoRA by its rank, so that mixtures are below it says nothing about routing.
    run().says("LoRA is stuck at 0.750, the best a change of rank 8 can do (0.750).");
    // Another size than the floor was computed for.
    run().and(|run| rank(run, 4)).does_not_say("stuck");
}

#[test]
fn floor_of_any_weight_is_named_so_without_full_fine_tuning() {
    Run::domains()
        .and(|run| run.started.floors[0].lanes = vec![LORA])
        .steps(10, 0.01, [0.6, 0.75, 0.72, 0.72])
        .says("LoRA is stuck at 0.750, the best any single weight can do (0.750).");
}

#[test]
fn noise_is_no_floor() {
    // Noise adds 9 to a floor of 0.75: a lane that has learnt nothing stands at 10, within 3 % of 9.75 and far from it.
    let noisy = |run: &mut Run| {
        run.started.floors[0].share = 9.75;
        run.started.floors[0].noise = 9.0;
    };
    Run::domains().and(noisy).steps(10, 0.01, [9.9; 4]).does_not_say("stuck");
    Run::domains()
        .and(noisy)
        .steps(10, 0.01, [9.76, 9.9, 9.8, 9.8])
        .says("Full fine-tuning is stuck at 9.76, the best any single weight can do (9.75).");
    // 9.76 of 9.75 is no gain by routing; 9.3 is.
    Run::domains()
        .and(noisy)
        .steps(10, 0.01, [9.9, 9.9, 9.3, 9.72])
        .says("No single weight gets below 9.75; MoLoRA goes below that by routing: 9.30.");
}

#[test]
fn no_lane_twice_in_a_sentence() {
    let own = Floor {
        lanes: vec![MOR1E],
        share: 0.5,
        noise: 0.0,
        binds: Some(Binds::Routed),
        label: "floor, 8 × rank 1, routed".into(),
        why: String::new(),
    };
    Run::domains()
        .and(|run| run.started.floors.push(own))
        .steps(10, 0.01, [0.9, 0.9, 0.9, 0.502])
        .says("MoR1E is stuck at 0.502, the best these experts can do, whatever their gates (0.500).");
}

#[test]
fn worse_than_doing_nothing() {
    let nothing = "worse than doing nothing: mean loss";
    Run::domains()
        .steps(10, 0.01, [44.1, 0.9, 0.2, 0.9])
        .says(&format!("Full fine-tuning is {nothing} 44.1, where the frozen weight alone has 1.00."));
    Run::domains()
        .steps(10, 0.0, [44.1, 3.0, 0.2, 0.9])
        .and(|run| run.started.config.schedule.total = 100)
        .says(&format!(
            "Finished (step 100, learning rate 0): full fine-tuning and LoRA are {nothing} 44.1 and 3.00, where the frozen weight alone has 1.00."
        ));
    // As bad as nothing, within chance; what noise adds is nobody's fault; a spike at the start that has passed.
    Run::domains().steps(10, 0.01, [1.02, 0.9, 0.9, 0.9]).does_not_say("worse");
    Run::domains().and(|run| run.started.floors[0].noise = 9.0).steps(10, 0.01, [9.9; 4]).does_not_say("worse");
    Run::domains().steps(5, 0.01, [44.0; 4]).steps(5, 0.01, [0.9; 4]).does_not_say("worse");
}

#[test]
fn unused_experts() {
    let idle = |run: &mut Run| {
        run.frame.gates[0].mean[2] = 0.0021;
        run.frame.gates[0].utilisation[2] = 0.0;
    };
    let level = [0.9; 4];
    Run::domains()
        .steps(6, 0.01, level)
        .and(idle)
        .steps(1, 0.01, level)
        .adds(
            "MoLoRA's expert 3 has been unused since step 70: no probe token prefers it and its mean gate is 0.00210.",
        )
        .and(|run| {
            run.frame.gates[0].ablation = Some(AblationFrame { expert: 2, with: Vec::new(), without: Vec::new() });
        })
        .does_not_say("expert");
    Run::domains()
        .and(idle)
        .steps(6, 0.01, level)
        .adds("MoLoRA's expert 3 is unused: no probe token prefers it and its mean gate is 0.00210.");
    for (mean, used) in [(0.02, 0.0), (0.002, 0.01)] {
        Run::domains()
            .steps(6, 0.01, level)
            .and(|run| {
                run.frame.gates[0].mean[2] = mean;
                run.frame.gates[0].utilisation[2] = used;
            })
            .steps(1, 0.01, level)
            .does_not_say("expert 3");
    }
    // Switched off by hand from the start: never its own doing, nor remembered as such.
    Run::domains()
        .steps(6, 0.01, level)
        .and(idle)
        .and(|run| {
            run.frame.gates[0].ablation = Some(AblationFrame { expert: 2, with: Vec::new(), without: Vec::new() });
        })
        .steps(1, 0.01, level)
        .does_not_say("expert 3");
}

#[test]
fn one_task_needs_no_routing() {
    let one = |run: &mut Run| {
        if let crate::config::Task::Domains(task) = &mut run.started.config.task {
            task.domains = 1;
        }
        run.started.floors[0].share = 0.0;
    };
    let run = |shares| Run::domains().and(one).steps(10, 0.01, shares);
    run([0.3, 0.0012, 0.003, 0.02])
        .says("One task: LoRA suffices, its loss is 0.00120; routing has nothing to gain (MoLoRA 0.00300 and MoR1E 0.0200).")
        .and(|run| run.started.config.schedule.total = 100)
        .and(|run| run.frame.lr = 0.0)
        .says("Finished (step 100, learning rate 0): one task: LoRA suffices, its loss is 0.00120; routing has nothing to gain (MoLoRA 0.00300 and MoR1E 0.0200).");
    // A rank too low leaves what more directions gain; noise is nothing that a lane could gain.
    run([0.3, 0.2, 0.003, 0.02]).does_not_say("suffices");
    let noisy = |run: &mut Run| (run.started.floors[0].share, run.started.floors[0].noise) = (0.32, 0.32);
    Run::domains().and(one).and(noisy).steps(10, 0.01, [0.9, 0.325, 0.33, 0.34]).says(
        "One task: LoRA suffices, its loss is 0.325; routing has nothing to gain (MoLoRA 0.330 and MoR1E 0.340).",
    );
    Run::domains().and(one).steps(9, 0.01, [0.001; 4]).does_not_say("suffices");
    Run::domains().steps(10, 0.01, [0.001; 4]).does_not_say("suffices");
}

#[test]
fn a_pooled_gate_fails_where_tasks_are_mixed() {
    let mixed = |run: &mut Run| {
        if let crate::config::Task::Domains(task) = &mut run.started.config.task {
            (task.mixed, task.sequence) = (true, 8);
        }
        run.started.floors[0].lanes = vec![LORA];
    };
    let fails = "MoR1E's one gate for a whole sequence cannot tell the tasks mixed in it, and stays at 0.740";
    let run = |shares| Run::domains().and(mixed).steps(10, 0.01, shares);
    run([0.9, 0.75, 0.9, 0.74])
        .says(&format!("LoRA is stuck at 0.750, the best any single weight can do (0.750); {fails}."));
    run([0.9, 0.9, 0.11, 0.74])
        .says(&format!("No single weight gets below 0.750; MoLoRA goes below that by routing: 0.110; {fails}."));
    // It gains something; it has a gate for each token; it still falls; sequences are of one task.
    run([0.9, 0.9, 0.9, 0.5]).does_not_say("whole sequence");
    run([0.9, 0.75, 0.9, 0.74])
        .and(|run| run.frame.lanes[MOR1E].lane.settings.set("gate", "token"))
        .does_not_say("whole");
    Run::domains().and(mixed).steps(5, 0.01, [0.9; 4]).steps(5, 0.01, [0.74; 4]).does_not_say("whole");
    Run::domains().steps(10, 0.01, [0.9, 0.75, 0.9, 0.74]).does_not_say("whole");
}
