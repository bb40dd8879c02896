//! The portal's rules, each asked over its own wire: what a client may rely on, and what it must not.

mod hubspot {
    mod associations;
    mod associations_v3;
    mod batches;
    mod contract;
    mod desk;
    mod faults;
    mod imports;
    mod labels;
    mod limits;
    mod partial;
    mod properties;
    mod reading;
    mod scene;
    mod schemas;
    mod state;
    mod switches;
    mod values;
    mod wire;
}
