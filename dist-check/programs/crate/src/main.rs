//! A question and its answer, between two ends of a domain.

use ipcio::{Client, Error, Message, Server};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let domain = format!("dist-check-crate-{}", std::process::id());
    let server = Server::builder()
        .domain(&domain)
        .handler("double", async |message: Message| {
            let number: f64 = message.parse()?;
            Ok::<_, Error>(number * 2.0)
        })
        .start()?;
    let client = Client::builder().domain(&domain).connect().await?;
    let answer: f64 = client.deliver("double", 21).await?.parse()?;
    client.close().await?;
    server.close().await?;
    assert!(answer == 42.0, "twice 21 is {answer}");
    println!("It works.");
    Ok(())
}
