//! The portal's rules, each asked over its own wire: what a client may rely on, and what it must not.

mod hubspot {
    mod associations;
    mod associations_v3;
    mod batches;
    mod desk;
    mod labels;
    mod limits;
    mod partial;
    mod properties;
    mod reading;
    mod scene;
    mod schemas;
    mod values;
    mod wire;
}
